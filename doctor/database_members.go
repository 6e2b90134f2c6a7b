package doctor

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"flashsale/dsn"
)

// lookAtMembers reads every server of a list. It returns nil where the name has one server.
func lookAtMembers(ctx context.Context, name *dsn.Name, schema Schema) []serverFacts {
	servers := name.Servers()
	if len(servers) < 2 {
		return nil
	}
	tables, err := schema.Tables()
	found := make([]serverFacts, len(servers))
	var all sync.WaitGroup
	for i, server := range servers {
		all.Go(func() {
			found[i] = lookAtServer(ctx, server, tables)
			if found[i].columnsErr == nil {
				found[i].columnsErr = err
			}
		})
	}
	all.Wait()
	return found
}

const whyMembers = "The engine takes the next server of the list when one is away: it has to have the same orders, and one at " +
	"a time takes writes."

// judgeMembers judges each server of a list: it answers, and is of one Galera cluster, TiDB cluster or replication with the
// server to which the engine connects, the first that takes writes.
func (j databaseJudge) judgeMembers() {
	leader := slices.IndexFunc(j.members, func(s serverFacts) bool { return s.err == nil && s.writable() })
	for i, s := range j.members {
		host, port, _ := net.SplitHostPort(s.addr)
		if s.err != nil {
			j.add(Warning, "members", whyMembers, "mysql -h "+host+" -P "+port+" -e 'SELECT 1'", "%v", s.err)
			continue
		}
		earlier := slices.IndexFunc(j.members[:i], func(other serverFacts) bool { return isOne(s.variables, other.variables) })
		if earlier >= 0 {
			j.add(Warning, "members", whyMembers, "FLASHSALE_MYSQL_DSN=USER:PASSWORD@tcp(A:3306,B:3306)/"+j.name+
				"  # each server once", "%s and %s lead to one server", j.members[earlier].addr, s.addr)
			continue
		}
		switch {
		case leader < 0:
			j.add(Danger, "members", whyMembers, setGlobal("read_only", "OFF")+"  -- at the primary",
				"%s: read_only = ON, as every server of the list that answers", s.addr)
		case i == leader:
			j.add(OK, "members", whyMembers, "", "%s takes writes: the engine connects to it", s.addr)
		default:
			j.judgeMember(s, j.members[leader])
		}
	}
}

// judgeMember judges a server of a list beside the one to which the engine connects.
func (j databaseJudge) judgeMember(s, leader serverFacts) {
	at := "  -- at " + s.addr
	status, mendStatus := "SHOW REPLICA STATUS;"+at, "SHOW GLOBAL STATUS LIKE 'wsrep%';"+at
	lag, bad := strconv.Atoi(s.replica.lag)
	column, differs := firstDifference(s.columns, leader.columns)
	switch related, why := j.related(s, leader); {
	case s.columnsErr != nil:
		j.unknown("members", whyMembers, "GRANT SELECT ON `"+j.name+"`.* TO "+s.account+";"+at, s.columnsErr)
	case related == Unknown:
		j.unknown("members", whyMembers, "GRANT "+s.replicaRight()+" ON *.* TO "+s.account+";"+at, s.replica.err)
	case related == Danger:
		j.add(Danger, "members", whyMembers, status, "%s is %s", s.addr, why)
	case s.group() != "" && (s.status["wsrep_cluster_status"] != "Primary" || s.status["wsrep_local_state_comment"] != "Synced"):
		j.add(Warning, "members", whyMembers, mendStatus, "%s is %s in a component that is %s", s.addr,
			s.status["wsrep_local_state_comment"], s.status["wsrep_cluster_status"])
	case s.group() == "" && !s.isTiDB() && s.writable():
		j.add(Danger, "members", whyMembers, setGlobal("read_only", "ON")+at, "%s takes writes beside %s", s.addr, leader.addr)
	case s.replica.source != "" && (bad != nil || lag > longestLag):
		j.add(Warning, "members", whyMembers, status, "%s is %s, %s s behind", s.addr, why, s.replica.lag)
	case differs:
		j.add(Danger, "members", whyMembers, status, "%s has other tables than %s: one of them has no %s", s.addr, leader.addr,
			column)
	default:
		j.add(OK, "members", whyMembers, "", "%s is %s", s.addr, why)
	}
}

// related reports how a server of a list belongs to the one to which the engine connects: OK, Danger where it does not, Unknown
// where it does not tell.
func (j databaseJudge) related(s, leader serverFacts) (level Level, how string) {
	switch {
	case s.isTiDB() && leader.isTiDB():
		if _, differs := firstDifference(s.columns, leader.columns); differs {
			return Danger, "of another TiDB cluster than " + leader.addr
		}
		return OK, "of one TiDB cluster with " + leader.addr
	case s.group() != "" && s.group() == leader.group():
		return OK, "of one Galera cluster with " + leader.addr
	case s.replica.err != nil:
		return Unknown, ""
	case leader.follows(s):
		return OK, "the primary of " + leader.addr
	}
	for _, other := range j.members {
		if other.err == nil && other.addr != s.addr && s.follows(other) {
			return OK, "a replica of " + other.addr
		}
	}
	if s.replica.source != "" {
		return Danger, "a replica of " + s.replica.source + ":" + s.replica.port + ", which is not in the list"
	}
	return Danger, "no replica, and of no cluster with " + leader.addr
}

// firstDifference returns an element that only one of two sorted lists has.
func firstDifference(a, b []string) (element string, differs bool) {
	for _, pair := range [][2][]string{{a, b}, {b, a}} {
		for _, element := range pair[0] {
			if _, found := slices.BinarySearch(pair[1], element); !found {
				return strings.TrimSpace(element), true
			}
		}
	}
	return "", false
}
