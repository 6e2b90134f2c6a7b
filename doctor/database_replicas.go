package doctor

import "strconv"

const (
	whySource = "What is written here reaches no other server, and what the primary writes may be missing here."
	whySemi   = "A replica that is promoted may lack commits that were answered: payments and cancellations are lost."
	whyGalera = "A node outside of the primary component refuses every statement."
)

// longestLag of a replica, in seconds.
const longestLag = 5

// judgeReplicas judges whether the server follows another one, and what its own replicas have.
func (j databaseJudge) judgeReplicas() {
	name := flavour(j.variables["version"], j.variables["version_comment"])
	if name == "TiDB" {
		return // it has no replicas of this kind
	}
	switch r := j.replica; {
	case r.err != nil:
		j.unknown("replica", whySource, "GRANT "+j.server().replicaRight()+" ON *.* TO "+j.account+";", r.err)
	case r.source != "":
		lag, err := strconv.Atoi(r.lag)
		level := Warning
		if err != nil || lag > longestLag {
			level = Danger
		}
		j.add(level, "replica", whySource, "FLASHSALE_MYSQL_DSN=USER:PASSWORD@tcp("+r.source+":3306)/"+j.name,
			"the server is a replica of %s, %s s behind", r.source, r.lag)
	default:
		j.add(OK, "replica", whySource, "", "the server is no replica")
	}
	j.judgeSemiSync()
}

// judgeSemiSync judges the server's own replicas where its status counts them.
func (j databaseJudge) judgeSemiSync() {
	for _, names := range []struct{ enabled, clients string }{
		{"rpl_semi_sync_master_enabled", "rpl_semi_sync_master_clients"},
		{"rpl_semi_sync_source_enabled", "rpl_semi_sync_source_clients"},
	} {
		if _, known := j.variable(names.enabled); !known {
			continue
		}
		replicas, semi := j.status["slaves_connected"], j.status[names.clients]
		switch {
		case j.on(names.enabled) && semi == "0":
			j.add(Warning, "semi_sync", whySemi, "SHOW REPLICAS;", "%s = ON, and no replica acknowledges", names.enabled)
		case !j.on(names.enabled) && replicas != "" && replicas != "0":
			j.add(Warning, "semi_sync", whySemi, setGlobal(names.enabled, "ON"), "%s replicas follow, %s = OFF", replicas,
				names.enabled)
		default:
			j.add(OK, "semi_sync", whySemi, "", "%s = %s", names.enabled, j.variables[names.enabled])
		}
	}
}

// judgeGalera judges a node of a Galera cluster.
func (j databaseJudge) judgeGalera() {
	if !j.on("wsrep_on") {
		return
	}
	component, state := j.status["wsrep_cluster_status"], j.status["wsrep_local_state_comment"]
	bad := component != "Primary" || state != "Synced"
	j.add(either(bad, Danger), "galera", whyGalera, "SHOW GLOBAL STATUS LIKE 'wsrep%';  -- then connect the node with the others",
		"the node is %s in a component that is %s", state, component)
}
