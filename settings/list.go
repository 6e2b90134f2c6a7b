package settings

import "slices"

// Names of processes and commands in the columns Used and Needed.
const (
	dev      = "dev"
	gateway  = "gateway"
	settle   = "settle"
	migrate  = "migrate"
	audit    = "audit"
	doctor   = "doctor"
	token    = "token"
	verdict  = "load verdict"
	rehearse = "rehearse"
)

var (
	purchasePath = []string{gateway, settle, audit, doctor, rehearse}
	kafkaUsers   = []string{gateway, settle, migrate, audit, doctor, rehearse}
	queue        = []string{gateway, settle, migrate, doctor}
	needDatabase = []string{gateway, settle, migrate, verdict, doctor, rehearse}
	useDatabase  = append(needDatabase[:len(needDatabase):len(needDatabase)], audit)
	operators    = []string{"sale", "top", "rules", "trail", "orders", "deadletter", audit, verdict}
	apiUsers     = append(operators[:len(operators):len(operators)], "load rush")
	loads        = []string{"load rush", "load targets"}
	signers      = append([]string{gateway, token}, loads...)
	signsLike    = append(signers[:len(signers):len(signers)], rehearse) // with a secret of its own
	everything   = []string{"every command"}
)

// All returns every setting that exists, grouped by section.
func All() []Setting {
	var all []Setting
	for _, section := range [][]Setting{general(), gatewaySection(), operatorSections(), authSection(), settleSection(),
		expirySection(), reserveSection(), brakeSection(), redisSection(), kafkaSection()} {
		all = append(all, section...)
	}
	return all
}

func general() []Setting {
	return []Setting{
		{Name: "namespace", Default: "flashsale", Used: append([]string{dev}, kafkaUsers...), check: namespaceRule,
			Doc: "Prefix of Redis keys, topics and the consumer group. Each deployment serves one tenant and needs its own " +
				"namespace.",
			bind: func(s *Settings) any { return &s.Namespace }},
		{Name: "log.level", Default: "info", Used: everything, check: oneOf("debug", "info", "warn", "error"),
			Doc:  "Lowest level of the JSON log lines on stderr.",
			bind: func(s *Settings) any { return &s.Log.Level }},
		{Name: "mysql.dsn", Used: useDatabase, Needed: needDatabase, check: dsnRule,
			Unit: "user:password@tcp(host:3306)/database",
			Doc:  "Data source name of the Go MySQL driver. It is a secret because it contains the password.",
			bind: func(s *Settings) any { return &s.MySQL.DSN }},
		{Name: "mysql.tls_ca_file", Unit: "file", Used: useDatabase,
			Doc:  "Certificates (PEM) by which the database is verified. Empty: the system's, where the DSN has tls=true.",
			bind: func(s *Settings) any { return &s.MySQL.TLS.CA }},
		{Name: "mysql.tls_cert_file", Unit: "file", Used: useDatabase,
			Doc:  "Certificate (PEM) by which the engine names itself to the database.",
			bind: func(s *Settings) any { return &s.MySQL.TLS.Cert }},
		{Name: "mysql.tls_key_file", Unit: "file", Used: useDatabase,
			Doc:  "Key (PEM) of that certificate.",
			bind: func(s *Settings) any { return &s.MySQL.TLS.Key }},
		{Name: "mysql.read_dsn", Used: []string{gateway, settle, doctor}, check: dsnRule,
			Unit: "user:password@tcp(host:3306)/database",
			Doc:  "Replica for buyers' reads of orders. Empty: none. Set it for settle too, which then writes the heartbeat.",
			bind: func(s *Settings) any { return &s.MySQL.ReadDSN }},
		{Name: "mysql.read_max_lag", Default: "500ms", Used: []string{gateway, doctor}, check: durations("300ms", "1m"),
			Doc:  "Lag of the replica from which on gateways read orders from mysql.dsn.",
			bind: func(s *Settings) any { return &s.MySQL.ReadMaxLag }},
	}
}

func gatewaySection() []Setting {
	return []Setting{
		{Name: "gateway.listen", Default: "127.0.0.1:8080", Unit: "host:port", Used: append([]string{gateway, dev, doctor},
			loads...),
			check: listenRule,
			Doc:   "Address of the buyers' listener; load rush and load targets buy there unless --url is given.",
			bind:  func(s *Settings) any { return &s.Gateway.Listen }},
		{Name: "gateway.trusted_proxies", Unit: "networks", Used: []string{gateway, dev, doctor},
			Doc:  "Networks of proxies whose X-Forwarded-For header the gateway trusts, such as 10.0.0.0/8.",
			bind: func(s *Settings) any { return &s.Gateway.TrustedProxies }},
		{Name: "gateway.ack_timeout", Default: "1s", Used: []string{gateway, dev}, check: durations("10ms", "4s"),
			Doc:  "Longest wait for Kafka's acknowledgement of an order; after it the gateway answers held.",
			bind: func(s *Settings) any { return &s.Gateway.AckTimeout }},
		{Name: "gateway.max_connections", Default: "100000", Unit: "connections", Used: []string{gateway, dev, doctor},
			check: between(1, 10_000_000),
			Doc: "Open buyer connections, capped at the open file limit less 1,000; each further one gets overloaded and " +
				"is closed.",
			bind: func(s *Settings) any { return &s.Gateway.MaxConnections }},
		{Name: "gateway.max_in_flight", Default: "20000", Unit: "purchases", Used: []string{gateway, dev, rehearse},
			check: between(1, 1_000_000),
			Doc:   "Purchases in progress in one gateway; it answers each further one with overloaded.",
			bind:  func(s *Settings) any { return &s.Gateway.MaxInFlight }},
		{Name: "gateway.token_cache_size", Default: "100000", Unit: "tokens", Used: []string{gateway, dev},
			check: between(1, 10_000_000),
			Doc: "Verified tokens that a gateway caches; a new token replaces an old one, and the gateway verifies that " +
				"one again.",
			bind: func(s *Settings) any { return &s.Gateway.TokenCacheSize }},
		{Name: "gateway.shutdown_timeout", Default: "20s", Used: []string{gateway, settle, dev}, check: durations("1s", "5m"),
			Doc: "Longest time after SIGTERM for gateway to finish open requests, and for gateway and settle to get records " +
				"acknowledged.",
			bind: func(s *Settings) any { return &s.Gateway.ShutdownTimeout }},
		{Name: "gateway.access_log_every", Default: "0", Unit: "requests", Used: []string{gateway, dev},
			check: between(0, 1_000_000_000),
			Doc:   "One buyers' request in so many, chosen at random, gets a line in the log. 1: each. 0: none.",
			bind:  func(s *Settings) any { return &s.Gateway.AccessLogEvery }},
		{Name: "gateway.gc_percent", Default: "100", Unit: "percent", Used: []string{gateway}, check: between(20, 10_000),
			Doc: "Heap growth that starts a garbage collection, in place of GOGC: a higher value takes less CPU and more " +
				"memory.",
			bind: func(s *Settings) any { return &s.Gateway.GCPercent }},
	}
}

func operatorSections() []Setting {
	return []Setting{
		{Name: "admin.listen", Default: "127.0.0.1:8081", Unit: "host:port", Used: []string{gateway, dev, doctor},
			check: listenRule,
			Doc:   "Address of the operators' listener.",
			bind:  func(s *Settings) any { return &s.Admin.Listen }},
		{Name: "admin.url", Default: "http://127.0.0.1:8081", Unit: "URL", Used: apiUsers, check: urlRule,
			Doc:  "Base URL at which commands call the operators' API.",
			bind: func(s *Settings) any { return &s.Admin.URL }},
		{Name: "admin.token", Used: append([]string{gateway, settle, dev}, apiUsers...),
			Needed: append([]string{gateway}, operators...),
			check:  atLeast(16, "characters"),
			Doc: "Token of the operators' API and of settle's profiles; name and role are admin. The dev command makes one if " +
				"it is not set.",
			bind: func(s *Settings) any { return &s.Admin.Token }},
		{Name: "admin.tokens", Unit: "name:role:token, one a line", Used: []string{gateway, settle, dev}, check: tokensRule,
			Doc:  "Further tokens with names and roles: viewer, operator, admin or shop.",
			bind: func(s *Settings) any { return &s.Admin.Tokens }},
		{Name: "admin.hosts", Unit: "host names", Used: []string{gateway, dev}, check: hostsRule,
			Doc: "Names under which browsers reach the console, such as ops.example.com; addresses and localhost always " +
				"work.",
			bind: func(s *Settings) any { return &s.Admin.Hosts }},
		{Name: "shop.token", Used: []string{gateway, dev}, check: atLeast(16, "characters"),
			Doc:  "Token of the shop's backend, with the name shop and the role shop: it opens the order routes only.",
			bind: func(s *Settings) any { return &s.Shop.Token }},
	}
}

func authSection() []Setting {
	return []Setting{
		{Name: "auth.hs256_secret", Used: append([]string{dev}, signers...), Needed: signers, check: atLeast(32, "bytes"),
			Doc:  "Key that signs and verifies buyers' tokens (HS256): the bytes of the value, not decoded.",
			bind: func(s *Settings) any { return &s.Auth.HS256Secret }},
		{Name: "auth.hs256_previous_secret", Used: []string{gateway, dev}, check: atLeast(32, "bytes"),
			Doc:  "Previous key: gateways still accept tokens signed with it, so that a key change logs no buyer out.",
			bind: func(s *Settings) any { return &s.Auth.HS256PreviousSecret }},
		{Name: "auth.issuer", Used: append([]string{dev}, signsLike...),
			Doc:  "Required iss claim of every token. Empty: not checked.",
			bind: func(s *Settings) any { return &s.Auth.Issuer }},
		{Name: "auth.audience", Used: append([]string{dev}, signsLike...),
			Doc:  "Required aud claim of every token. Empty: not checked, and the gateway logs a warning.",
			bind: func(s *Settings) any { return &s.Auth.Audience }},
		{Name: "auth.max_lifetime", Default: "24h", Used: append([]string{dev}, signsLike...), check: durations("1s", "8760h"),
			Doc:  "Longest time from now to the exp of a token; gateways refuse a longer one, and commands sign none.",
			bind: func(s *Settings) any { return &s.Auth.MaxLifetime }},
	}
}

func settleSection() []Setting {
	return []Setting{
		{Name: "settle.listen", Default: "127.0.0.1:8082", Unit: "host:port", Used: []string{settle, dev, doctor},
			check: listenRule,
			Doc:   "Address of the settling process's listener: /metrics, /livez, /readyz, /debug/pprof.",
			bind:  func(s *Settings) any { return &s.Settle.Listen }},
		{Name: "settle.batch_max_rows", Default: "1000", Unit: "rows", Used: []string{settle, dev}, check: between(1, 10_000),
			Doc:  "Most order rows in one settling transaction; a larger record gets a transaction of its own.",
			bind: func(s *Settings) any { return &s.Settle.BatchMaxRows }},
		{Name: "settle.batch_max_bytes", Default: "1048576", Unit: "bytes", Used: []string{settle, dev, doctor},
			check: between(1024, 16<<20),
			Doc:   "Most bytes of records in one settling transaction.",
			bind:  func(s *Settings) any { return &s.Settle.BatchMaxBytes }},
		{Name: "settle.fetch_min_bytes", Default: "131072", Unit: "bytes", Used: []string{settle, dev}, check: between(1, 16<<20),
			Doc:  "Bytes of records that a broker collects before it answers a fetch.",
			bind: func(s *Settings) any { return &s.Settle.FetchMinBytes }},
		{Name: "settle.fetch_max_wait", Default: "50ms", Used: []string{settle, dev}, check: durations("1ms", "5s"),
			Doc:  "Longest time that a broker collects them: the most that this adds to the settling of a single order.",
			bind: func(s *Settings) any { return &s.Settle.FetchMaxWait }},
		{Name: "settle.gc_percent", Default: "400", Unit: "percent", Used: []string{settle}, check: between(20, 10_000),
			Doc:  "Heap growth that starts a garbage collection, in place of GOGC.",
			bind: func(s *Settings) any { return &s.Settle.GCPercent }},
	}
}

func expirySection() []Setting {
	return []Setting{
		{Name: "expiry.freeze_after", Default: "0s", Used: []string{settle, dev}, check: zeroOr("1s", "168h"),
			Doc: "Time without a payment, in a sale that had some, after which due orders freeze the sale and do not expire. " +
				"0s: never.",
			bind: func(s *Settings) any { return &s.Expiry.FreezeAfter }},
	}
}

func reserveSection() []Setting {
	return []Setting{
		{Name: "reserve.journal_max_orders", Default: "100000", Unit: "orders",
			Used:  []string{gateway, settle, dev, doctor, rehearse},
			check: between(1, 10_000_000),
			Doc:   "Most orders in a bucket's journal; while it is full, purchases get unavailable. See brake.journal_percent.",
			bind:  func(s *Settings) any { return &s.Reserve.JournalMaxOrders }},
		{Name: "reserve.batch_max_orders", Default: "256", Unit: "orders", Used: []string{gateway, dev}, check: between(1, 1000),
			Doc:  "Most purchases in one script call.",
			bind: func(s *Settings) any { return &s.Reserve.BatchMaxOrders }},
		{Name: "reserve.batch_max_wait", Default: "5ms", Used: []string{gateway, dev}, check: durations("0s", "100ms"),
			Doc:  "Longest wait for a fuller batch while three quarters of a batch's purchases are under way. 0s: no wait.",
			bind: func(s *Settings) any { return &s.Reserve.BatchMaxWait }},
		{Name: "reserve.relay_deadline", Default: "2s", Used: []string{settle, dev}, check: durations("100ms", "1m"),
			Doc:  "Age at which the relay publishes a journal entry to Kafka.",
			bind: func(s *Settings) any { return &s.Reserve.RelayDeadline }},
	}
}

func brakeSection() []Setting {
	return []Setting{
		{Name: "brake.rows", Default: "0", Unit: "orders", Used: []string{settle, dev}, check: between(0, 100_000_000),
			Doc:  "Purchases are slowed while more orders than this wait for settlement. 0: never.",
			bind: func(s *Settings) any { return &s.Brake.Rows }},
		{Name: "brake.events", Default: "0", Unit: "orders", Used: []string{settle, dev}, check: between(0, 100_000_000),
			Doc:  "Purchases are slowed while the events of more orders than this wait for the events topic. 0: never.",
			bind: func(s *Settings) any { return &s.Brake.Events }},
		{Name: "brake.journal_percent", Default: "0", Unit: "percent", Used: []string{settle, dev}, check: between(0, 90),
			Doc:  "Purchases are slowed while a journal holds more than this part of reserve.journal_max_orders. 0: never.",
			bind: func(s *Settings) any { return &s.Brake.JournalPercent }},
	}
}

func redisSection() []Setting {
	return slices.Concat([]Setting{
		{Name: "redis.addrs", Default: "127.0.0.1:6379", Unit: "host:port, …", Used: purchasePath, check: addressesRule,
			Doc:  "Addresses of one Redis server, of nodes of one Redis Cluster, or of Sentinels (redis.sentinel_master).",
			bind: func(s *Settings) any { return &s.Redis.Addrs }},
		{Name: "redis.username", Used: purchasePath,
			Doc:  "Redis ACL user. Empty: the default user.",
			bind: func(s *Settings) any { return &s.Redis.Username }},
		{Name: "redis.password", Used: purchasePath,
			Doc:  "Password of the Redis user.",
			bind: func(s *Settings) any { return &s.Redis.Password }},
		{Name: "redis.tls", Default: "false", Used: purchasePath,
			Doc:  "Connect to Redis, and to Sentinels, with TLS and verify them.",
			bind: func(s *Settings) any { return &s.Redis.TLS }},
	}, tlsSettings("redis", "Redis", purchasePath, func(s *Settings) *TLSFiles { return &s.Redis.TLSFiles },
		func(s *Settings) *string { return &s.Redis.TLSServerName }), []Setting{
		{Name: "redis.sentinel_master", Unit: "name", Used: purchasePath,
			Doc:  "Name under which the Sentinels at redis.addrs know the primary. Empty: redis.addrs are the servers.",
			bind: func(s *Settings) any { return &s.Redis.SentinelMaster }},
		{Name: "redis.sentinel_username", Used: purchasePath,
			Doc:  "ACL user of the Sentinels. Empty: the default user.",
			bind: func(s *Settings) any { return &s.Redis.SentinelUsername }},
		{Name: "redis.sentinel_password", Used: purchasePath,
			Doc:  "Password of the Sentinels' user.",
			bind: func(s *Settings) any { return &s.Redis.SentinelPassword }},
		{Name: "redis.connections", Default: "2", Unit: "connections", Used: purchasePath, check: between(1, 64),
			Doc: "Connections of a process to each node, rounded up to a power of two. Concurrent calls share them in " +
				"pipelines.",
			bind: func(s *Settings) any { return &s.Redis.Connections }},
	})
}

func kafkaSection() []Setting {
	return slices.Concat([]Setting{
		{Name: "kafka.brokers", Default: "127.0.0.1:9092", Unit: "host:port, …", Used: kafkaUsers, check: addressesRule,
			Doc:  "Bootstrap brokers; the client discovers the others from them.",
			bind: func(s *Settings) any { return &s.Kafka.Brokers }},
		{Name: "kafka.tls", Default: "false", Used: kafkaUsers,
			Doc:  "Connect to Kafka with TLS and verify it.",
			bind: func(s *Settings) any { return &s.Kafka.TLS }},
	}, tlsSettings("kafka", "Kafka", kafkaUsers, func(s *Settings) *TLSFiles { return &s.Kafka.TLSFiles },
		func(s *Settings) *string { return &s.Kafka.TLSServerName }), []Setting{
		{Name: "kafka.sasl_mechanism", Used: kafkaUsers, check: oneOf("", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
			Doc:  "SASL mechanism. Empty: no authentication.",
			bind: func(s *Settings) any { return &s.Kafka.SASLMechanism }},
		{Name: "kafka.sasl_username", Used: kafkaUsers,
			Doc:  "SASL user name.",
			bind: func(s *Settings) any { return &s.Kafka.SASLUsername }},
		{Name: "kafka.sasl_password", Used: kafkaUsers,
			Doc:  "SASL password.",
			bind: func(s *Settings) any { return &s.Kafka.SASLPassword }},
		{Name: "kafka.linger", Default: "0s", Used: []string{gateway, settle, dev}, check: durations("0s", "100ms"),
			Doc: "Longest wait of an order record for others in its request. 0s: only records written during a request " +
				"share the next.",
			bind: func(s *Settings) any { return &s.Kafka.Linger }},
		{Name: "kafka.partitions", Default: "8", Unit: "partitions", Used: append([]string{dev}, queue...),
			check: between(1, 1024),
			Doc:   "Partitions of each topic. A bucket keeps the partition that its first preload chose.",
			bind:  func(s *Settings) any { return &s.Kafka.Partitions }},
		{Name: "kafka.replication", Default: "1", Unit: "copies", Used: []string{migrate}, check: between(1, 7),
			Doc:  "Replicas of each partition, the leader included.",
			bind: func(s *Settings) any { return &s.Kafka.Replication }},
		{Name: "kafka.retention", Default: "0s", Used: []string{settle, dev}, check: zeroOr("1h", "87600h"),
			Doc:  "Age at which settled orders, dead letters and events are deleted from the topics. 0s: never.",
			bind: func(s *Settings) any { return &s.Kafka.Retention }},
	})
}

// tlsSettings returns the settings of a store's TLS besides whether it is on.
func tlsSettings(
	section, store string, used []string, files func(*Settings) *TLSFiles, serverName func(*Settings) *string,
) []Setting {
	return []Setting{
		{Name: section + ".tls_ca_file", Unit: "file", Used: used,
			Doc:  "Certificates (PEM) by which " + store + " is verified. Empty: the system's.",
			bind: func(s *Settings) any { return &files(s).CA }},
		{Name: section + ".tls_cert_file", Unit: "file", Used: used,
			Doc:  "Certificate (PEM) by which the engine names itself to " + store + ".",
			bind: func(s *Settings) any { return &files(s).Cert }},
		{Name: section + ".tls_key_file", Unit: "file", Used: used,
			Doc:  "Key (PEM) of that certificate.",
			bind: func(s *Settings) any { return &files(s).Key }},
		{Name: section + ".tls_server_name", Unit: "host name", Used: used,
			Doc:  "Name that the certificate of " + store + " has to have. Empty: the host by which the engine connects.",
			bind: func(s *Settings) any { return serverName(s) }},
	}
}
