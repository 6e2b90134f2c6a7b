package reserve

// maxPresses bounds the presses of one buyer that wait on a shelf or are under way from it; one more is refused.
const maxPresses = 64

// presses are one buyer's presses on a shelf: at most one of them is under way to Redis, and the others wait for the one
// before. A script that had to read a buyer's orders again for each of many presses would keep Redis from everybody else.
type presses struct {
	buyer    string
	count    int // that wait, and the one under way
	underWay bool
}

// lineUp counts a press of its buyer; the caller holds the lock. It refuses where too many wait already.
func (s *shelf) lineUp(r *request) bool {
	line := s.lines[r.purchase.Buyer]
	switch {
	case line == nil:
		line = s.spareLine()
		line.buyer = r.purchase.Buyer
		s.lines[line.buyer] = line
		s.ready++
	case line.count == maxPresses:
		return false
	}
	line.count++
	r.line = line
	return true
}

// spareLine returns one that nobody uses.
func (s *shelf) spareLine() *presses {
	last := len(s.spareLines) - 1
	if last < 0 {
		return new(presses)
	}
	line := s.spareLines[last]
	s.spareLines = s.spareLines[:last]
	return line
}

// gone forgets a press that neither waits any more nor is under way; the caller holds the lock.
func (s *shelf) gone(line *presses) {
	if line.count--; line.count == 0 {
		s.ready--
		delete(s.lines, line.buyer)
		*line = presses{}
		if len(s.spareLines) < s.engine.BatchMaxOrders {
			s.spareLines = append(s.spareLines, line)
		}
	}
}

// choose moves the next batch from the shelf into batch: purchases of one epoch, list and rule, in their order, of each
// buyer the first if none of his is under way. The caller holds the lock.
func (s *shelf) choose(batch []*request) []*request {
	left := s.pending[:0]
	for i, r := range s.pending {
		if len(batch) == s.engine.BatchMaxOrders || (len(batch) > 0 && !alike(batch[0], r)) {
			left = append(left, s.pending[i:]...)
			break
		}
		if r.line.underWay {
			left = append(left, r)
			continue
		}
		r.line.underWay = true
		s.ready--
		batch = append(batch, r)
	}
	clear(s.pending[len(left):])
	s.pending = left
	return batch
}

// hold notes whose presses the batch are: a request that has been answered does not tell any more.
func (f *flow) hold() {
	for _, r := range f.batch {
		f.lines = append(f.lines, r.line)
		r.line = nil
	}
}

// letNext lets the next presses of the batch's buyers go on, once for each batch: Redis has decided these presses, or they
// go no further.
func (f *flow) letNext() {
	if len(f.lines) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, line := range f.lines {
		line.underWay = false
		f.ready++
		f.gone(line)
		f.lines[i] = nil
	}
	f.lines = f.lines[:0]
}
