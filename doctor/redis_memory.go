package doctor

// Memory of a sale in Redis, in bytes, measured on Redis 7.0.15 as the growth of used_memory: BenchmarkMemory of room reserve
// sells one SKU to a million buyers, with ids and keys of 36 characters (152.5 MB), TestBytesOfAListedBuyer and
// TestBytesOfAJournaledOrder of this room measure the others (95 and 115 bytes). Each is rounded up for ids that are longer.
const (
	orderBytes     = 170 // an order of a buyer who has no other
	listedBytes    = 130 // a buyer of a list
	journaledBytes = 150 // an order in the journal while Kafka is away
)

// shareOfRest is how many times the bytes still to come should fit: once, and once for the copies while the log is rewritten.
const shareOfRest = 2

// demand is how much memory the sales still take.
type demand struct {
	orders, journaled, listed int64 // how many
}

func (d demand) bytes() int64 {
	return d.orders*orderBytes + d.journaled*journaledBytes + d.listed*listedBytes
}

// demandOf is the most that one of so many primaries gets of all sales, when their buckets are spread evenly: every unit that
// is not sold is bought by a buyer of its own, and as many as the journals take wait for Kafka.
func demandOf(sales salesFacts, masters, journalOrders int) (d demand) {
	for _, s := range sales.open {
		buckets := max(s.buckets, 1)
		here := (buckets + int64(masters) - 1) / int64(masters) // buckets of the sale on one primary
		units := (s.unsold*here + buckets - 1) / buckets
		d.orders += units
		d.journaled += min(units, here*int64(journalOrders))
		if !s.listLoaded {
			d.listed += s.listed
		}
	}
	return d
}

const (
	whyMemory = "When Redis's memory is full, it refuses every purchase. Each unit that is not sold may be bought by a buyer " +
		"of its own."
	whyLimit = "Without a limit the system ends Redis when the machine's memory is full."
)

// judgeMemory compares the memory that is left with what the buyers of all sales take.
func (j nodeJudge) judgeMemory(sales salesFacts, masters int) {
	limit, system, used := j.number("maxmemory"), j.number("total_system_memory"), j.number("used_memory")
	j.judgeLimit(limit, system)
	room := limit
	if room == 0 {
		room = system
	}
	if room == 0 || used == 0 {
		j.note(Unknown, "memory", whyMemory, j.cli("INFO memory"), "INFO does not tell the limits of memory")
		return
	}
	if sales.err != nil {
		j.note(Unknown, "memory", whyMemory, "flashsale doctor  # again, when the database can be read",
			"the stock of the sales cannot be read: %v", sales.err)
		return
	}
	d := demandOf(sales, masters, j.options.JournalOrders)
	left := max(room-used, 0)
	level := OK
	switch {
	case d.bytes() > left:
		level = Danger
	case d.bytes()*shareOfRest > left:
		level = Warning
	}
	mend := j.set("maxmemory", megabytes(used+d.bytes()*shareOfRest))
	if needed := used + d.bytes()*shareOfRest; system > 0 && needed > system {
		mend += "  # needs a machine with more than " + megabytes(system)
	}
	j.note(level, "memory", whyMemory, mend, "%s of %s are left, and %d orders, %d of them in journals, and %d listed buyers "+
		"take "+
		"up to %s", megabytes(left), megabytes(room), d.orders, d.journaled, d.listed, megabytes(d.bytes()))
}

func (j nodeJudge) judgeLimit(limit, system int64) {
	switch {
	case limit == 0:
		j.note(Warning, "memory_limit", whyLimit, j.set("maxmemory", megabytes(max(system/2, 1<<30))),
			"no maxmemory, and %s of memory "+
				"in the machine", megabytes(system))
	case system > 0 && limit > system:
		j.note(Danger, "memory_limit", whyLimit, j.set("maxmemory", megabytes(system/2)),
			"maxmemory %s, and %s of memory in the machine",
			megabytes(limit), megabytes(system))
	default:
		j.note(OK, "memory_limit", whyLimit, "", "maxmemory %s", megabytes(limit))
	}
}

// megabytes writes bytes as Redis reads them, rounded up.
func megabytes(n int64) string {
	const mb = 1 << 20
	return decimal((n+mb-1)/mb) + "mb"
}
