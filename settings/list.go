package settings

// Names of processes and commands in the columns Used and Needed.
const (
	dev        = "dev"
	gateway    = "gateway"
	settle     = "settle"
	migrate    = "migrate"
	deadletter = "deadletter"
	audit      = "audit"
	token      = "token"
	verdict    = "load verdict"
)

var (
	purchasePath = []string{gateway, settle, audit}
	kafkaUsers   = []string{gateway, settle, migrate, audit}
	queue        = []string{gateway, settle, migrate}
	needsBooks   = []string{gateway, settle, migrate, deadletter, verdict}
	books        = append(needsBooks[:len(needsBooks):len(needsBooks)], audit)
	operators    = []string{"sale", "rules", audit, verdict}
	crowds       = []string{"load rush", "load targets"}
	signers      = append([]string{gateway, token}, crowds...)
	everything   = []string{"every command"}
)

// All returns the list: every setting that exists, grouped by section.
func All() []Setting {
	var all []Setting
	for _, section := range [][]Setting{general(), gatewaySection(), operatorSections(), authSection(), settleSection(),
		reserveSection(), redisSection(), kafkaSection()} {
		all = append(all, section...)
	}
	return all
}

func general() []Setting {
	return []Setting{
		{Name: "namespace", Default: "flashsale", Used: append([]string{dev}, kafkaUsers...), check: namespaceRule,
			Doc:  "One deployment is one tenant: prefix of Redis keys, topics and consumer group.",
			bind: func(s *Settings) any { return &s.Namespace }},
		{Name: "log.level", Default: "info", Used: everything, check: oneOf("debug", "info", "warn", "error"),
			Doc:  "Least severity of the JSON lines on stderr.",
			bind: func(s *Settings) any { return &s.Log.Level }},
		{Name: "mysql.dsn", Used: books, Needed: needsBooks, check: dsnRule,
			Unit: "user:password@tcp(host:3306)/database",
			Doc:  "Database, in the form of the Go MySQL driver. Secret because it holds the password.",
			bind: func(s *Settings) any { return &s.MySQL.DSN }},
	}
}

func gatewaySection() []Setting {
	return []Setting{
		{Name: "gateway.listen", Default: "127.0.0.1:8080", Unit: "host:port", Used: append([]string{gateway, dev}, crowds...),
			check: listenRule,
			Doc:   "Buyers' listener; where load rush and load targets press when no --url says otherwise.",
			bind:  func(s *Settings) any { return &s.Gateway.Listen }},
		{Name: "gateway.trusted_proxies", Unit: "networks", Used: []string{gateway, dev},
			Doc:  "Networks whose X-Forwarded-For is believed, such as 10.0.0.0/8.",
			bind: func(s *Settings) any { return &s.Gateway.TrustedProxies }},
		{Name: "gateway.ack_timeout", Default: "1s", Used: []string{gateway, dev}, check: durations("10ms", "4s"),
			Doc:  "Longest wait for Kafka's acknowledgement before the answer is held.",
			bind: func(s *Settings) any { return &s.Gateway.AckTimeout }},
		{Name: "gateway.max_connections", Default: "100000", Unit: "connections", Used: []string{gateway, dev},
			check: between(1, 10_000_000),
			Doc: "Buyers' open connections, at most the process's limit of open files less 1,000; beyond it: overloaded, " +
				"and closed.",
			bind: func(s *Settings) any { return &s.Gateway.MaxConnections }},
		{Name: "gateway.max_in_flight", Default: "20000", Unit: "purchases", Used: []string{gateway, dev},
			check: between(1, 1_000_000),
			Doc:   "Purchases inside one gateway at once; beyond it the answer is overloaded.",
			bind:  func(s *Settings) any { return &s.Gateway.MaxInFlight }},
		{Name: "gateway.token_cache_size", Default: "100000", Unit: "tokens", Used: []string{gateway, dev},
			check: between(1, 10_000_000),
			Doc:   "Verified tokens that a gateway remembers; the oldest are verified again.",
			bind:  func(s *Settings) any { return &s.Gateway.TokenCacheSize }},
		{Name: "gateway.shutdown_timeout", Default: "20s", Used: []string{gateway, settle, dev}, check: durations("1s", "5m"),
			Doc:  "Longest time after SIGTERM for answers under way and for records not yet acknowledged.",
			bind: func(s *Settings) any { return &s.Gateway.ShutdownTimeout }},
		{Name: "gateway.gc_percent", Default: "100", Unit: "percent", Used: []string{gateway}, check: between(20, 10_000),
			Doc:  "Growth of the heap before garbage is collected, in place of GOGC: more is less CPU and more memory.",
			bind: func(s *Settings) any { return &s.Gateway.GCPercent }},
	}
}

func operatorSections() []Setting {
	return []Setting{
		{Name: "admin.listen", Default: "127.0.0.1:8081", Unit: "host:port", Used: []string{gateway, dev}, check: listenRule,
			Doc:  "Operators' listener.",
			bind: func(s *Settings) any { return &s.Admin.Listen }},
		{Name: "admin.url", Default: "http://127.0.0.1:8081", Unit: "URL", Used: operators, check: urlRule,
			Doc:  "Where commands find the operators' API.",
			bind: func(s *Settings) any { return &s.Admin.URL }},
		{Name: "admin.token", Used: append([]string{gateway, settle, dev}, operators...),
			Needed: append([]string{gateway}, operators...),
			check:  atLeast(16, "characters"),
			Doc:    "Operators' token; settle shows its profiles to who has it. The dev command makes one when none is given.",
			bind:   func(s *Settings) any { return &s.Admin.Token }},
		{Name: "shop.token", Used: []string{gateway, dev}, check: atLeast(16, "characters"),
			Doc:  "Shop's token, good for orders only. Without it only the operators' token opens those routes.",
			bind: func(s *Settings) any { return &s.Shop.Token }},
	}
}

func authSection() []Setting {
	return []Setting{
		{Name: "auth.hs256_secret", Used: append([]string{dev}, signers...), Needed: signers, check: atLeast(32, "bytes"),
			Doc:  "Secret of the buyers' tokens (HS256); the value's own bytes are the key.",
			bind: func(s *Settings) any { return &s.Auth.HS256Secret }},
		{Name: "auth.hs256_previous_secret", Used: []string{gateway, dev}, check: atLeast(32, "bytes"),
			Doc:  "The secret before it, still believed, so that a change logs nobody out.",
			bind: func(s *Settings) any { return &s.Auth.HS256PreviousSecret }},
		{Name: "auth.issuer", Used: append([]string{dev}, signers...),
			Doc:  "iss that every token must carry. Empty: not looked at.",
			bind: func(s *Settings) any { return &s.Auth.Issuer }},
		{Name: "auth.audience", Used: append([]string{dev}, signers...),
			Doc:  "aud that every token must carry. Empty: not looked at, and the gateway warns.",
			bind: func(s *Settings) any { return &s.Auth.Audience }},
		{Name: "auth.max_lifetime", Default: "24h", Used: append([]string{dev}, signers...), check: durations("1s", "8760h"),
			Doc:  "How far ahead of now exp of a token may lie; one further ahead is refused, and none is signed.",
			bind: func(s *Settings) any { return &s.Auth.MaxLifetime }},
	}
}

func settleSection() []Setting {
	return []Setting{
		{Name: "settle.listen", Default: "127.0.0.1:8082", Unit: "host:port", Used: []string{settle, dev}, check: listenRule,
			Doc:  "The settling process's own listener: /metrics, /livez, /readyz, /debug/pprof.",
			bind: func(s *Settings) any { return &s.Settle.Listen }},
		{Name: "settle.batch_max_rows", Default: "1000", Unit: "rows", Used: []string{settle, dev}, check: between(1, 10_000),
			Doc:  "Order rows in one settling transaction; a larger record settles alone.",
			bind: func(s *Settings) any { return &s.Settle.BatchMaxRows }},
		{Name: "settle.batch_max_bytes", Default: "1048576", Unit: "bytes", Used: []string{settle, dev},
			check: between(1024, 16<<20),
			Doc:   "Bytes of records in one settling transaction.",
			bind:  func(s *Settings) any { return &s.Settle.BatchMaxBytes }},
		{Name: "settle.fetch_min_bytes", Default: "131072", Unit: "bytes", Used: []string{settle, dev}, check: between(1, 16<<20),
			Doc:  "Bytes of records that a broker gathers before it answers a fetch.",
			bind: func(s *Settings) any { return &s.Settle.FetchMinBytes }},
		{Name: "settle.fetch_max_wait", Default: "50ms", Used: []string{settle, dev}, check: durations("1ms", "5s"),
			Doc:  "Longest time that a broker gathers them: what a lone order waits at most before it is settled.",
			bind: func(s *Settings) any { return &s.Settle.FetchMaxWait }},
		{Name: "settle.gc_percent", Default: "400", Unit: "percent", Used: []string{settle}, check: between(20, 10_000),
			Doc:  "Growth of the heap before garbage is collected, in place of GOGC.",
			bind: func(s *Settings) any { return &s.Settle.GCPercent }},
	}
}

func reserveSection() []Setting {
	return []Setting{
		{Name: "reserve.journal_max_orders", Default: "100000", Unit: "orders", Used: []string{gateway, dev},
			check: between(1, 10_000_000),
			Doc:   "Orders that the journal of a bucket may have; beyond it the answer is unavailable.",
			bind:  func(s *Settings) any { return &s.Reserve.JournalMaxOrders }},
		{Name: "reserve.batch_max_orders", Default: "256", Unit: "orders", Used: []string{gateway, dev}, check: between(1, 1000),
			Doc:  "Purchases in one script call.",
			bind: func(s *Settings) any { return &s.Reserve.BatchMaxOrders }},
		{Name: "reserve.batch_max_wait", Default: "5ms", Used: []string{gateway, dev}, check: durations("0s", "100ms"),
			Doc:  "Longest wait for a fuller batch while three quarters of one are under way. 0s: none.",
			bind: func(s *Settings) any { return &s.Reserve.BatchMaxWait }},
		{Name: "reserve.relay_deadline", Default: "2s", Used: []string{settle, dev}, check: durations("100ms", "1m"),
			Doc:  "Age of a journal entry after which the relay publishes it.",
			bind: func(s *Settings) any { return &s.Reserve.RelayDeadline }},
	}
}

func redisSection() []Setting {
	return []Setting{
		{Name: "redis.addrs", Default: "127.0.0.1:6379", Unit: "host:port, …", Used: purchasePath, check: addressesRule,
			Doc:  "One Redis, or several nodes of one cluster.",
			bind: func(s *Settings) any { return &s.Redis.Addrs }},
		{Name: "redis.username", Used: purchasePath,
			Doc:  "User of the access control list. Empty: the default user.",
			bind: func(s *Settings) any { return &s.Redis.Username }},
		{Name: "redis.password", Used: purchasePath,
			Doc:  "Password of that user.",
			bind: func(s *Settings) any { return &s.Redis.Password }},
		{Name: "redis.tls", Default: "false", Used: purchasePath,
			Doc:  "Speak TLS to Redis, with the system's certificate authorities.",
			bind: func(s *Settings) any { return &s.Redis.TLS }},
		{Name: "redis.connections", Default: "2", Unit: "connections", Used: purchasePath, check: between(1, 64),
			Doc:  "Connections of a process to each node, rounded up to a power of two. Calls share them, in pipelines.",
			bind: func(s *Settings) any { return &s.Redis.Connections }},
	}
}

func kafkaSection() []Setting {
	return []Setting{
		{Name: "kafka.brokers", Default: "127.0.0.1:9092", Unit: "host:port, …", Used: kafkaUsers, check: addressesRule,
			Doc:  "Brokers to start from; the rest is learned from them.",
			bind: func(s *Settings) any { return &s.Kafka.Brokers }},
		{Name: "kafka.tls", Default: "false", Used: kafkaUsers,
			Doc:  "Speak TLS to Kafka, with the system's certificate authorities.",
			bind: func(s *Settings) any { return &s.Kafka.TLS }},
		{Name: "kafka.sasl_mechanism", Used: kafkaUsers, check: oneOf("", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
			Doc:  "How to log in. Empty: no login.",
			bind: func(s *Settings) any { return &s.Kafka.SASLMechanism }},
		{Name: "kafka.sasl_username", Used: kafkaUsers,
			Doc:  "Name for the login.",
			bind: func(s *Settings) any { return &s.Kafka.SASLUsername }},
		{Name: "kafka.sasl_password", Used: kafkaUsers,
			Doc:  "Password for the login.",
			bind: func(s *Settings) any { return &s.Kafka.SASLPassword }},
		{Name: "kafka.linger", Default: "0s", Used: []string{gateway, settle, dev}, check: durations("0s", "100ms"),
			Doc:  "How long a record of orders waits for others to share its request. 0s: those that come during a request do.",
			bind: func(s *Settings) any { return &s.Kafka.Linger }},
		{Name: "kafka.partitions", Default: "8", Unit: "partitions", Used: append([]string{dev}, queue...),
			check: between(1, 1024),
			Doc:   "Partitions of each topic. A bucket keeps the partition of its first preload.",
			bind:  func(s *Settings) any { return &s.Kafka.Partitions }},
		{Name: "kafka.replication", Default: "1", Unit: "copies", Used: []string{migrate}, check: between(1, 7),
			Doc:  "Copies of each partition, this one included.",
			bind: func(s *Settings) any { return &s.Kafka.Replication }},
	}
}
