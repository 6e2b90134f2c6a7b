package settings

import (
	"crypto/tls"
	"log/slog"
	"net/netip"
	"time"
)

// Settings are the values of one process. The list, not this struct, documents each member.
type Settings struct {
	Namespace string
	Gateway   Gateway
	Admin     Admin
	Shop      Shop
	Settle    Settle
	Expiry    Expiry
	Auth      Auth
	Redis     Redis
	Kafka     Kafka
	Reserve   Reserve
	Brake     Brake
	MySQL     MySQL
	Log       Log

	origins  map[string]string
	tls      map[string]*tls.Config // by section, of those with files
	warnings []string

	certificates []Certificate
}

// Gateway is the buyers' listener and its bounds.
type Gateway struct {
	Listen          string
	TrustedProxies  []netip.Prefix
	AckTimeout      time.Duration
	MaxConnections  int
	MaxInFlight     int
	TokenCacheSize  int
	ShutdownTimeout time.Duration
	GCPercent       int
	AccessLogEvery  int
}

// Admin is the operators' listener and the address at which commands call it.
type Admin struct {
	Listen string
	URL    string
	Token  Secret
	Tokens Secret   // lines name:role:token; Settings.Tokens has them all
	Hosts  []string // names under which browsers reach the listener
}

// Shop is the access of the shop's backend.
type Shop struct{ Token Secret }

// Settle is the settling process.
type Settle struct {
	Listen        string
	BatchMaxRows  int
	BatchMaxBytes int
	FetchMinBytes int
	FetchMaxWait  time.Duration
	GCPercent     int
}

// Expiry is the end of unpaid orders.
type Expiry struct{ FreezeAfter time.Duration }

// Auth is how gateways verify buyers' tokens.
type Auth struct {
	HS256Secret         Secret
	HS256PreviousSecret Secret
	Issuer              string
	Audience            string
	MaxLifetime         time.Duration
}

// Redis is the store of the stock on sale.
type Redis struct {
	Addrs    []string
	Username string
	Password Secret
	TLS      bool
	TLSFiles TLSFiles

	TLSServerName    string // empty: the host of the address
	SentinelMaster   string // empty: Addrs are the servers themselves
	SentinelUsername string
	SentinelPassword Secret

	Connections int
}

// Kafka is the queue between Redis and the database.
type Kafka struct {
	Brokers       []string
	TLS           bool
	TLSFiles      TLSFiles
	TLSServerName string // empty: the host of the address
	SASLMechanism string
	SASLUsername  string
	SASLPassword  Secret
	Linger        time.Duration
	Partitions    int
	Replication   int
	Retention     time.Duration
}

// Reserve is the purchase path between gateway and Kafka.
type Reserve struct {
	JournalMaxOrders int
	BatchMaxOrders   int
	BatchMaxWait     time.Duration
	RelayDeadline    time.Duration
}

// Brake is what may wait before purchases are slowed; 0 is no bound.
type Brake struct {
	Rows           int
	Events         int
	JournalPercent int
}

// MySQL is the database, and a replica of it for reads of orders.
type MySQL struct {
	DSN        Secret
	TLS        TLSFiles
	ReadDSN    Secret
	ReadMaxLag time.Duration
}

// Log is the log on stderr.
type Log struct{ Level string }

// Secret is a text that prints as a placeholder. Reveal returns the value for the client library that needs it.
type Secret string

const hidden = "(secret)"

// String returns a placeholder, or nothing when the secret is not set.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString returns what String does, for %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText writes what String does, for JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns what String does, for log lines.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Reveal returns the value.
func (s Secret) Reveal() string { return string(s) }

// Warnings returns what looks wrong in the sources but is not a fault, such as unknown variables.
func (s *Settings) Warnings() []string { return s.warnings }

// Value is one setting with its present value, for the listing of the config command.
type Value struct {
	Setting Setting
	Text    string // in the spelling of the environment; a placeholder for a secret that is set
	Origin  string // the flag, variable or file that gave the value, or "default"
}

// Values returns every setting in the order of the list, with placeholders for secrets.
func (s *Settings) Values() []Value {
	all := All()
	values := make([]Value, len(all))
	for i, setting := range all {
		values[i] = Value{Setting: setting, Text: format(setting.bind(s)), Origin: s.origins[setting.Name]}
	}
	return values
}
