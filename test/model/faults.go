package protocol

// doubting is every role that detects a bucket in doubt and closes it in the database, under the epoch in which it was
// seen: gateways that are fenced, the controller's check for servers without the script, the watchdog's check of the
// sequence.
func (x *expansion) doubting(k int) {
	s := x.from
	row, r := &s.rows[k], &s.redis[k]
	if r.foreign == 1 && (x.waits(k) || s.outbox[k][0].number != 0) && (r.script == 1 || !x.keeps(ScriptFence)) &&
		x.keeps(ReplidCompared) {
		t := *s
		t.redis[k].foreign = 2
		x.to(&t, true, "the replication id is looked at", k, record{})
	}
	if row.state != open {
		return
	}
	var why string
	switch {
	case r.script == 0 && x.keeps(ScriptFence):
		why = "redis lacks the script: the bucket is closed"
	case r.loaded == unknownBucket || r.epoch < row.epoch:
		why = "redis is not in this epoch: the bucket is closed"
	case r.loaded != open && (x.keeps(StateWatched) || x.waits(k)):
		why = "redis is not loaded in this epoch: the bucket is closed"
	case r.foreign == 2:
		why = "another replication id: the bucket is closed"
	case r.epoch == row.epoch && r.seq < row.seq && x.keeps(SequenceWatched):
		why = "the sequence is lower than one settled: the bucket is closed"
	case r.epoch == row.epoch && x.wentBack(k):
		why = "the sequence is lower than one seen by a gateway: the bucket is closed"
	default:
		return
	}
	t := *s
	t.doubt(k)
	x.to(&t, true, why, k, record{})
}

// doubt closes an open bucket of which Redis seems to have lost writes of the present epoch.
func (t *State) doubt(k int) {
	row := &t.rows[k]
	if row.state != open {
		return
	}
	row.state = closed
	if t.lostIn[k] < row.epoch {
		t.accused = 1
	}
}

// waits reports whether a buyer has presses left in a bucket: the call would be fenced.
func (x *expansion) waits(k int) (waiting bool) {
	for b := k; b < len(x.Buyers); b += x.Buckets {
		waiting = waiting || int(x.from.pressed[b]) < len(x.Buyers[b])
	}
	return waiting
}

// wentBack reports whether some gateway would be fenced for the sequence. Only a call is fenced, so a gateway without a
// buyer to serve does not detect it.
func (x *expansion) wentBack(k int) bool {
	if !x.keeps(SequenceCompared) {
		return false
	}
	waiting := x.waits(k)
	for g := range actors {
		if waiting && x.from.gateways[g].seenIn(k, x.from.redis[k].epoch) > x.from.redis[k].seq {
			return true
		}
	}
	return false
}

// forgetting is what happens to a server: its replica stops following, and later takes its place.
func (x *expansion) forgetting(k int) {
	s := x.from
	if !x.suffers(k) || x.Shared && k > 0 {
		return
	}
	if s.hasReplica[k] == 0 && s.left[Rewind]+s.left[Blind]+s.left[Split] > 0 {
		t := *s
		for _, j := range x.beside(k) {
			t.hasReplica[j], t.replica[j] = 1, s.redis[j]
		}
		x.to(&t, false, "(the replica of the bucket stops following here)", k, record{})
	}
	if s.hasReplica[k] == 1 {
		if t := *s; t.spend(Rewind) {
			x.promote(&t, k, 0)
			x.to(&t, false, "REDIS GOES BACK, without the script", k, record{})
		}
		if t := *s; s.replica[k].script == 1 && t.spend(Blind) {
			x.promote(&t, k, 1)
			x.to(&t, false, "REDIS GOES BACK to a node that has the script", k, record{})
		}
		if t := *s; s.hasOld[k] == 0 && t.spend(Split) {
			for _, j := range x.beside(k) {
				t.hasOld[j], t.old[j] = 1, s.redis[j]
			}
			x.promote(&t, k, 0)
			x.to(&t, false, "REDIS SPLITS: a replica is promoted, the old primary goes on", k, record{})
		}
	}
	x.wiping(k)
	x.failingBack(k)
}

// failingBack is the end of an old primary, or its return.
func (x *expansion) failingBack(k int) {
	s := x.from
	if s.hasOld[k] == 0 {
		return
	}
	dies, returns := *s, *s
	for _, j := range x.beside(k) {
		dies.mislay(&s.old[j], &s.redis[j])
		dies.hasOld[j], dies.old[j] = 0, redis{}
		returns.hasOld[j], returns.old[j] = 0, redis{}
		returns.forget(j, &s.old[j])
	}
	x.to(&dies, true, "the old primary dies", k, record{})
	x.to(&returns, false, "FAIL-BACK to the old primary", k, record{})
}

// wiping is a server that is empty afterwards: as a new process, or flushed.
func (x *expansion) wiping(k int) {
	if x.from.left[Wipe] == 0 {
		return
	}
	for script := range uint8(2) {
		t := *x.from
		t.spend(Wipe)
		for _, j := range x.beside(k) {
			t.forget(j, &redis{loaded: unknownBucket, script: script * t.redis[j].script, back: 1 - script})
		}
		x.to(&t, false, "REDIS IS EMPTY", k, record{})
	}
}

// promote makes the replica the primary.
func (x *expansion) promote(t *State, k int, script uint8) {
	for _, j := range x.beside(k) {
		next := t.replica[j]
		next.script, next.foreign, next.back = script, x.foreign(), 0
		if script == 0 {
			next.back = t.redis[j].back | t.redis[j].aheadOf(&next)
		}
		t.hasReplica[j], t.replica[j] = 0, redis{}
		t.forget(j, &next)
	}
}

// aheadOf is 1 when one copy has a write that another lacks.
func (r *redis) aheadOf(other *redis) uint8 {
	if r.epoch == other.epoch && r.loaded == other.loaded && r.seq == other.seq {
		return 0
	}
	return 1
}

// beside returns the buckets of a bucket's server.
func (x *expansion) beside(k int) []int {
	if x.Shared {
		return []int{0, 1}
	}
	return [][]int{{0}, {1}}[k]
}

// forget replaces Redis by another copy, which may lack everything taken so far.
func (t *State) forget(k int, next *redis) {
	t.lost, t.lostIn[k] = 1, max(t.lostIn[k], t.redis[k].epoch)
	t.mislay(&t.redis[k], next)
	t.redis[k] = *next
}

// mislay notes the orders that were journaled in one copy and are not in the next.
func (t *State) mislay(before, next *redis) {
	t.mislaid = (t.mislaid | journaledIn(before.journal[:])) &^ journaledIn(next.journal[:])
}

// foreign is 1 when the replication id distinguishes another node.
func (s *Setup) foreign() uint8 {
	if s.Hidden {
		return 0
	}
	return 1
}
