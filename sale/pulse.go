package sale

// Roles of a process in its pulse.
const (
	ProcessGateway = "gateway"
	ProcessSettle  = "settle"
)

// Pulse is what a process tells the others of itself once a second. Its counters only grow while the process lives; another
// process of the same machine has another name.
type Pulse struct {
	Process string            `json:"process"` // host, process id and a random part, as in the leases
	Role    string            `json:"role"`
	Version string            `json:"version"`
	Started Time              `json:"started"` // by Redis's clock, as At
	At      Time              `json:"at"`
	Waiting map[string]string `json:"waiting,omitempty"` // what readiness waits for; empty: the process is ready

	Gateway *GatewayPulse `json:"gateway,omitempty"`
	Settle  *SettlePulse  `json:"settle,omitempty"`
}

// Name identifies the pulse: one process may have both roles.
func (p *Pulse) Name() string { return p.Role + ":" + p.Process }

// Presses counts presses of Buy by the code of their outcome, without those that are 0.
type Presses map[string]int64

// MaxPulseSales bounds the sales of which a pulse counts presses by themselves.
const MaxPulseSales = 100

// GatewayPulse is what a gateway has counted since its start, and what is under way.
type GatewayPulse struct {
	Sales       map[string]Presses `json:"sales,omitempty"` // of the sales with most presses, MaxPulseSales at most
	Other       Presses            `json:"other,omitempty"` // of all other sales together
	Latency     Latency            `json:"latency,omitempty"`
	InFlight    int64              `json:"in_flight"`   // purchases between admission and answer
	Connections int64              `json:"connections"` // of buyers
}

// SettlePulse is what a settling process has counted since its start, and what waits. A nil number is unknown to the process:
// only the one with the lease of events or of the gauges knows it.
type SettlePulse struct {
	LagRecords     int64    `json:"lag_records"` // of the partitions that the process settles
	Rows           int64    `json:"rows"`        // order rows written
	StalledS       float64  `json:"stalled_s"`
	DeadLetters    int64    `json:"dead_letters"` // records put into the dead letters
	EventsWaiting  *int64   `json:"events_waiting,omitempty"`
	OutboxWaiting  *int64   `json:"outbox_waiting,omitempty"`
	OldestJournalS *float64 `json:"oldest_journal_s,omitempty"` // age of the oldest journal entry, 0 when there is none
}

// Process is one process of the deployment as its last pulse shows it.
type Process struct {
	Name      string            `json:"name"`
	Role      string            `json:"role"`
	Version   string            `json:"version"`
	SeenMSAgo int64             `json:"seen_ms_ago"` // age of the last pulse
	Ready     bool              `json:"ready"`
	Waiting   map[string]string `json:"waiting"`
}

// Rates are the present rates of a sale, and of the deployment where a member is not of a sale.
type Rates struct {
	PressesPerS Number            `json:"presses_per_s"`
	OrdersPerS  Number            `json:"orders_per_s"`
	RefusedPerS map[string]Number `json:"refused_per_s"` // by outcome, those above 0; null while unknown

	// Of all sales.
	P50MS            Number `json:"p50_ms"`
	P99MS            Number `json:"p99_ms"`
	SettleLagRecords Number `json:"settle_lag_records"`
	OldestHeldS      Number `json:"oldest_held_s"`
	EventsWaiting    Number `json:"events_waiting"`
	RowsPerS         Number `json:"rows_per_s"`
}

// RefusedTotal returns the refusals a second of all outcomes.
func (r *Rates) RefusedTotal() Number {
	if r.RefusedPerS == nil {
		return Unknown()
	}
	sum := Number(0)
	for _, n := range r.RefusedPerS {
		sum += n
	}
	return sum
}

// History is the last minutes of a sale in steps, the oldest first. Every list has the same length.
type History struct {
	StepS         int                 `json:"step_s"`
	From          Time                `json:"from"` // when the first step began
	Sale          string              `json:"sale"`
	Presses       []Number            `json:"presses"` // a second, as are orders and refused
	Orders        []Number            `json:"orders"`
	Refused       map[string][]Number `json:"refused"` // by outcome
	P50MS         []Number            `json:"p50_ms"`
	P99MS         []Number            `json:"p99_ms"`
	SettleLag     []Number            `json:"settle_lag_records"`
	OldestHeld    []Number            `json:"oldest_held_s"`
	EventsWaiting []Number            `json:"events_waiting"`
}

// StoreHealth says whether the process that answers reached a store within its time limit.
type StoreHealth struct {
	Store  string `json:"store"` // redis, kafka or mysql
	Up     bool   `json:"up"`
	Detail string `json:"detail"` // why it is not up
}
