package doctor

import "strconv"

const (
	whyPersistence = "Without an append-only file a restart loses orders that are only held, and the sale is closed until it " +
		"is " +
		"rebuilt from the database."
	whyFsync   = "The log reaches the disk when the system likes: a crash of the machine loses half a minute of held orders."
	whyRewrite = "Appends are not synced during a rewrite of the log, so a crash may lose all writes since the rewrite began."
	whySave    = "A snapshot forks in the middle of a rush and contains nothing that the log lacks."
	whyCut     = "With no, Redis does not start with a log that was cut, and the sale stays closed. With yes, after a start " +
		"that logs " +
		"Truncating the AOF, type redis-cli BGREWRITEAOF: the file may still have half a script."
)

// judgePersistence uses CONFIG where it is allowed, else what INFO has of it.
func (j nodeJudge) judgePersistence() {
	on, save := j.info["aof_enabled"] == "1", j.config["save"]
	mend := j.set("appendonly", "yes")
	switch {
	case on:
		j.note(OK, "persistence", whyPersistence, "", "appendonly yes")
	case save != "":
		j.note(Danger, "persistence", whyPersistence, mend, "appendonly no, snapshots alone (save %s): a restart goes back "+
			"to the last one", save)
	default:
		j.note(Danger, "persistence", whyPersistence, mend, "appendonly no: Redis is empty after a restart")
	}
	if value, known := j.setting("appendfsync", "fsync", whyFsync); known {
		j.note(either(on && value == "no", Danger), "fsync", whyFsync, j.set("appendfsync", "everysec"), "appendfsync %s", value)
	}
	if value, known := j.setting("no-appendfsync-on-rewrite", "fsync_on_rewrite", whyRewrite); known {
		j.note(either(value != "no", Warning), "fsync_on_rewrite", whyRewrite, j.set("no-appendfsync-on-rewrite", "no"),
			"no-appendfsync-on-rewrite %s", value)
	}
	if value, known := j.setting("save", "snapshots", whySave); known {
		found := "no snapshots"
		if value != "" {
			found = "save " + value
		}
		j.note(either(value != "" && on, Warning), "snapshots", whySave, j.set("save", `""`), "%s", found)
	}
	if value, known := j.setting("aof-load-truncated", "cut_log", whyCut); known {
		j.note(either(value != "yes", Warning), "cut_log", whyCut, j.set("aof-load-truncated", "yes"), "aof-load-truncated %s",
			value)
	}
}

// judgeDisk reads how Redis fared with its disk.
func (j nodeJudge) judgeDisk() {
	const why = "Redis refuses writes while it cannot write its log, and waits with all calls while the disk is behind."
	state := "aof_last_write_status, aof_last_bgrewrite_status and aof_delayed_fsync"
	delayed := j.number("aof_delayed_fsync")
	switch {
	case j.info["aof_last_write_status"] == "err":
		j.note(Danger, "disk", why, "df -h  # on the machine of Redis: room on the disk of its log",
			"the last write of the log failed")
	case j.info["aof_last_bgrewrite_status"] == "err":
		j.note(Warning, "disk", why, j.cli("BGREWRITEAOF"), "the last rewrite of the log failed")
	case delayed > 0:
		j.note(Warning, "disk", why, "iostat -x 1  # on the machine of Redis: a faster disk, or one of its own for the log",
			"the disk was too slow for the log %d times since the start", delayed)
	default:
		j.note(OK, "disk", why, "", "%s are good", state)
	}
}

const whyEvict = "Redis would evict stock or buyers when its memory is full, and the sale would oversell."

func (j nodeJudge) judgeEviction() {
	policy := j.info["maxmemory_policy"]
	if policy == "" {
		policy = j.config["maxmemory-policy"]
	}
	if policy == "" {
		j.note(Unknown, "eviction", whyEvict, j.allow("+config|get"), "INFO has no maxmemory_policy")
		return
	}
	j.note(either(policy != "noeviction", Danger), "eviction", whyEvict, j.set("maxmemory-policy", "noeviction"),
		"maxmemory-policy %s", policy)
}

const (
	whyReplica = "A replica does not sell, and what it has may be older than what was sold."
	whyLag     = "A replica that is promoted lacks the last orders, without a bound: min-replicas-to-write bounds what a " +
		"failover loses."
	whyStalled = "Redis refuses every write while fewer replicas follow than min-replicas-to-write asks for: nothing is sold."
)

// judgeReplication judges the role, and min-replicas-to-write beside the replicas that follow.
func (j nodeJudge) judgeReplication() {
	if !j.isPrimary() {
		switch {
		case j.options.Sentinel.Master != "":
			j.note(OK, "role", whyReplica, "", "the server is a replica that sentinels watch")
		case j.cluster == nil:
			j.note(Danger, "role", whyReplica, "FLASHSALE_REDIS_ADDRS="+j.info["master_host"]+":"+j.info["master_port"],
				"the server is a replica of %s:%s", j.info["master_host"], j.info["master_port"])
		}
		if j.info["master_link_status"] == "down" {
			j.note(Warning, "replica_link", whyLag, j.cli("INFO replication"), "the replica has lost its primary")
		}
		return
	}
	if j.cluster == nil && j.role != "" {
		j.note(OK, "role", whyReplica, "", "the server is a primary")
	}
	j.judgeFollowers()
}

// judgeFollowers uses INFO, which counts good replicas only while min-replicas-to-write is on, and CONFIG where it is allowed.
func (j nodeJudge) judgeFollowers() {
	if j.info == nil {
		return // the check of proxies says so
	}
	replicas := j.number("connected_slaves")
	_, on := j.info["min_slaves_good_slaves"]
	least, known := j.config["min-replicas-to-write"]
	wanted, err := strconv.ParseInt(least, 10, 64)
	switch {
	case !on && replicas > 0:
		j.note(Danger, "min_replicas", whyLag, j.set("min-replicas-to-write", "1 min-replicas-max-lag 10"),
			"replicas that follow: %d, and min-replicas-to-write is off", replicas)
	case on && known && err == nil && j.number("min_slaves_good_slaves") < wanted:
		j.note(Danger, "min_replicas", whyStalled, j.set("min-replicas-to-write", "0"),
			"min-replicas-to-write is %s, good replicas: %d", least, j.number("min_slaves_good_slaves"))
	case on && j.number("min_slaves_good_slaves") == 0:
		j.note(Danger, "min_replicas", whyStalled, j.set("min-replicas-to-write", "0"),
			"min-replicas-to-write is on, good replicas: 0")
	default:
		j.note(OK, "min_replicas", whyLag, "", "replicas that follow: %d", replicas)
	}
}

// smallestCluster is the number of primaries of which the others can elect a successor for one.
const smallestCluster = 3

func (j nodeJudge) judgeCluster() {
	const why = "A cluster that is not complete refuses the buckets of its missing slots, or all."
	if j.cluster == nil {
		return
	}
	state, size := j.cluster["cluster_state"], j.cluster["cluster_size"]
	primaries, err := strconv.Atoi(size)
	switch {
	case state == "":
		j.note(Unknown, "cluster", why, j.allow("+cluster|info"), "CLUSTER INFO cannot be read: %v",
			j.refuse["CLUSTER"])
	case state != "ok" || j.cluster["cluster_slots_assigned"] != "16384":
		j.note(Danger, "cluster", why, "redis-cli --cluster fix "+j.addr, "the cluster is %s, with %s of 16384 slots", state,
			j.cluster["cluster_slots_assigned"])
	case err == nil && primaries < smallestCluster:
		j.note(Warning, "cluster", "Fewer than three primaries cannot elect a successor for one that dies.",
			"redis-cli --cluster add-node HOST:PORT "+j.addr, "the cluster has %s primaries", size)
	default:
		j.note(OK, "cluster", why, "", "the cluster of %s primaries is complete", size)
	}
}
