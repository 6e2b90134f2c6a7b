package grafana

// Dashboards returns every dashboard, by the name of its file.
func Dashboards() map[string]Dashboard {
	return map[string]Dashboard{
		"sale-live.json": saleLive(), "engine.json": engine(), "stores.json": stores(), "go-runtime.json": goRuntime(),
	}
}

// Units of Grafana.
const (
	perSecond = "reqps"
	seconds   = "s"
	count     = "short"
	bytesUnit = "bytes"
	share     = "percentunit"
)

func saleLive() Dashboard {
	return dashboard("flashsale-sale-live", "flashsale: a sale, live", "What buyers press, get and pay, and where the units are.",
		[]Variable{choice("sale", "Sale", "flashsale_purchases_total")},
		view{"Presses by outcome", perSecond, "Presses of Buy a second, by their answer. Refusals are no fault.",
			one(`sum by (outcome) (rate(flashsale_purchases_total{sale=~"$sale"}[$__rate_interval]))`, "{{outcome}}")},
		view{"Orders taken", perSecond, "Orders a second, queued in Kafka or held in Redis.",
			one(`sum by (sale) (rate(flashsale_purchases_total{sale=~"$sale",outcome=~"queued|held"}[$__rate_interval]))`,
				"{{sale}}")},
		view{"Time of a press", seconds, "Time from a press's last byte to the first byte of its answer, of all sales.",
			quantiles("flashsale_http_request_duration_seconds", `{route="purchase"}`, "")},
		view{"Units by place", count, "Where the units are: loaded = available + in_flight + settled - released.",
			one(`sum by (state) (flashsale_stock_units{sale=~"$sale"})`, "{{state}}")},
		view{"Units for sale", count, "Units of each SKU that nobody has taken, of the twenty with the fewest.",
			one(`bottomk(20, sum by (sale, sku) (flashsale_stock_units{sale=~"$sale",state="available"}))`, "{{sale}} {{sku}}")},
		view{"Hot SKUs", perSecond, "Units taken a second of the SKUs of which most are taken.",
			one(`flashsale_hot_sku_rate{sale=~"$sale"}`, "{{sale}} {{sku}}")},
		view{"Orders by status", perSecond, "Orders a second that get a status in the database.",
			one(`sum by (status) (rate(flashsale_orders_total{sale=~"$sale"}[$__rate_interval]))`, "{{status}}")},
		view{"Unpaid orders", count, "Confirmed orders whose time to pay runs.",
			one(`sum by (sale) (flashsale_unpaid_orders{sale=~"$sale"})`, "{{sale}}")},
		view{"State", count, "1 for the state that a sale is in.",
			one(`sum by (sale, state) (flashsale_sale_state{sale=~"$sale"})`, "{{sale}} {{state}}")},
		view{"Frozen holds", count, "1 while unpaid orders of a sale do not expire.",
			one(`max by (sale) (flashsale_holds_frozen{sale=~"$sale"})`, "{{sale}}")},
		view{"Units that the books lack", count, "By how much the stock equation is off; anything but 0 is a fault.",
			one(`sum by (sale, sku) (abs(flashsale_conservation_error_units{sale=~"$sale"}))`, "{{sale}} {{sku}}")},
		view{"Refused tokens", perSecond, "Requests a second that were answered 401, of all sales, by the fault of the token.",
			one(`sum by (reason) (rate(flashsale_token_refusals_total[$__rate_interval]))`, "{{reason}}")},
	)
}

func engine() Dashboard {
	return dashboard("flashsale-engine", "flashsale: the engine", "The path of an order, and what waits on it.", nil,
		view{"Requests by route", perSecond, "Answered requests of buyers a second.",
			one(`sum by (route) (rate(flashsale_http_request_duration_seconds_count[$__rate_interval])) or `+
				`sum by (route) (histogram_count(rate(flashsale_http_request_duration_seconds[$__rate_interval])))`,
				"{{route}}")},
		view{"Time of requests", seconds, "Time of a request by route.",
			quantiles("flashsale_http_request_duration_seconds", "", "route")},
		view{"Orders of a batch", count, "Orders that one call of the script takes, on average: 1 when the gateway is not busy.",
			one(`sum(rate(flashsale_batch_orders_sum[$__rate_interval])) / `+
				`clamp_min(sum(rate(flashsale_batch_orders_count[$__rate_interval])), 0.001)`, "orders")},
		view{"Rows settled", perSecond, "Order rows a second that each settling process writes.",
			one(`sum by (instance) (rate(flashsale_settle_rows_total[$__rate_interval]))`, "{{instance}}")},
		view{"Time to the row", seconds, "Seconds until the records that wait are settled, at the present rate.",
			one(`sum(flashsale_settle_lag_records) / clamp_min(sum(rate(flashsale_settle_records_total[$__rate_interval])), 0.1)`,
				"lag")},
		view{"Records that wait", count, "Records of each partition that are not settled.",
			one(`sum by (partition) (flashsale_settle_lag_records)`, "{{partition}}")},
		view{"Settlement stalled", seconds, "For how long a process has not settled although it should.",
			one(`max by (instance) (flashsale_settle_stalled_seconds)`, "{{instance}}")},
		view{"Oldest order outside Kafka", seconds, "Age of the oldest journal entry. Beyond the relay's deadline Kafka is away.",
			one(`max(flashsale_journal_oldest_age_seconds)`, "age")},
		view{"The brake", perSecond, "Purchases a second that the engine's brake allows; 0 while there is no brake.",
			one(`max(flashsale_brake_per_second)`, "allowed")},
		view{"Rows that wait", count, "Rows of the database that wait for Redis and for the events topic.",
			[]query{{`max(flashsale_outbox_waiting_rows)`, "outbox"}, {`max(flashsale_events_waiting_rows)`, "events"}}},
		view{"Events", perSecond, "Events a second that the events topic has taken.",
			one(`sum(rate(flashsale_events_published_total[$__rate_interval]))`, "events")},
		view{"Expiry", count, "Orders that wait to expire although their time is over, and those that have expired in a minute.",
			[]query{
				{`max(flashsale_overdue_orders)`, "overdue"},
				{`sum(increase(flashsale_orders_expired_total[1m]))`, "expired"},
			}},
		view{"Expiry is late by", seconds, "For how long the order that is longest overdue is so.",
			one(`max(flashsale_overdue_oldest_seconds)`, "late")},
		view{"Dead letters", count, "Records in the last hour that can never settle, by reason. Anything above 0 is a fault.",
			one(`sum by (reason) (increase(flashsale_dead_letters_total[1h]))`, "{{reason}}")},
		view{"Rebuilds", count, "Rebuilds of buckets in the last ten minutes, of the ten with most.",
			one(`topk(10, max by (sale, bucket) (changes(flashsale_epoch[10m])))`, "{{sale}} {{bucket}}")},
		view{"Lease of the node id", seconds, "For how long each gateway can make order ids without the database.",
			one(`min by (instance) (flashsale_node_lease_seconds)`, "{{instance}}")},
		view{"Panics", count, "Panics in the last hour. Anything above 0 is a fault.",
			one(`sum by (instance) (increase(flashsale_panics_total[1h]))`, "{{instance}}")},
		view{"Versions", count, "Processes by the version of their binary.",
			one(`count by (version, job) (flashsale_build_info)`, "{{job}} {{version}}")},
		view{"Spans", perSecond, "Spans of traces a second, by whether the collector took them; empty without tracing.",
			one(`sum by (job, result) (rate(flashsale_trace_spans_total[$__rate_interval]))`, "{{job}} {{result}}")},
	)
}

func stores() Dashboard {
	return dashboard("flashsale-stores", "flashsale: the stores", "Redis, Kafka and the database as the processes see them.", nil,
		view{"Stores reached", count, "1 while every process of a job reaches the store.",
			one(`min by (job, store) (flashsale_store_up)`, "{{job}} {{store}}")},
		view{"Processes reached", count, "1 while Prometheus reaches the process.",
			one(`min by (job, instance) (up{job=~"flashsale-.*"})`, "{{job}} {{instance}}")},
		view{"Presses without a store", perSecond, "Presses a second that a store away, or stock in doubt, has cost.",
			one(`sum by (outcome) (rate(flashsale_purchases_total{outcome=~"unavailable|unknown|fenced|overloaded"}`+
				`[$__rate_interval]))`, "{{outcome}}")},
		view{"Orders held", perSecond, "Orders a second that Kafka did not acknowledge in time.",
			one(`sum(rate(flashsale_purchases_total{outcome="held"}[$__rate_interval]))`, "held")},
		view{"Kafka refuses", perSecond, "Attempts a second to publish a record that Kafka refused or did not answer.",
			one(`sum by (job, topic) (rate(flashsale_kafka_refused_total[$__rate_interval]))`, "{{job}} {{topic}}")},
		view{"The database refuses", perSecond, "Attempts a second to settle that failed and were repeated.",
			one(`sum by (instance) (rate(flashsale_settle_retries_total[$__rate_interval]))`, "{{instance}}")},
		view{"Records deleted", perSecond, "Records a second that the engine deletes from its topics because they are old.",
			one(`sum by (topic) (rate(flashsale_retention_deleted_records_total[$__rate_interval]))`, "{{topic}}")},
		view{"Refused operators", perSecond, "Wrong operators' tokens a second.",
			one(`sum by (job) (rate(flashsale_operator_token_refusals_total[$__rate_interval]))`, "{{job}}")},
		view{"Certificates end in", seconds, "Time until the first certificate ends by which a store is reached; empty without " +
			"such files.",
			one(`min by (job, store, kind) (flashsale_certificate_not_after_seconds) - time()`, "{{job}} {{store}} {{kind}}")},
		view{"The replica is behind by", seconds, "Bound of what the replica of mysql.read_dsn lacks; empty without it.",
			one(`max by (instance) (flashsale_replica_lag_seconds)`, "{{instance}}")},
		view{"Gateways that use the replica", share, "Share of the gateways with a replica that read buyers' orders from it.",
			one(`avg(flashsale_replica_used)`, "used")},
		view{"Reads of orders", perSecond, "Queries of buyers' orders a second by server; failed: the replica was silent.",
			one(`sum by (server) (rate(flashsale_order_reads_total[$__rate_interval]))`, "{{server}}")},
	)
}

func goRuntime() Dashboard {
	const of = `{job=~"flashsale-.*",instance=~"$instance"}`
	return dashboard("flashsale-go-runtime", "flashsale: Go", "What the processes take of their machines.",
		[]Variable{choice("instance", "Process", `up{job=~"flashsale-.*"}`)},
		view{"CPU", count, "Cores that a process uses.",
			one(`rate(process_cpu_seconds_total`+of+`[$__rate_interval])`, "{{job}} {{instance}}")},
		view{"CPU of the garbage collector", share, "Share of the CPU that Go gives to the collector.",
			one(`rate(go_cpu_classes_gc_total_cpu_seconds_total`+of+`[$__rate_interval]) / `+
				`clamp_min(rate(go_cpu_classes_total_cpu_seconds_total`+of+`[$__rate_interval]), 0.001)`,
				"{{job}} {{instance}}")},
		view{"Resident memory", bytesUnit, "Memory of a process in the machine.",
			one(`process_resident_memory_bytes`+of, "{{job}} {{instance}}")},
		view{"Heap", bytesUnit, "Memory of the objects on the heap.",
			one(`go_memory_classes_heap_objects_bytes`+of, "{{job}} {{instance}}")},
		view{"Pauses of the garbage collector", seconds, "The longest pause of the recent collections.",
			one(`go_gc_duration_seconds{job=~"flashsale-.*",instance=~"$instance",quantile=~"1|1.0"}`, "{{job}} {{instance}}")},
		view{"Wait for a processor", seconds, "How long goroutines that could run have waited for it.",
			quantiles("go_sched_latencies_seconds", of, "instance")},
		view{"Goroutines", count, "Goroutines of a process.", one(`go_goroutines`+of, "{{job}} {{instance}}")},
		view{"Wait for mutexes", share, "Seconds a second that goroutines wait for mutexes, all together.",
			one(`rate(go_sync_mutex_wait_total_seconds_total`+of+`[$__rate_interval])`, "{{job}} {{instance}}")},
		view{"Open files", share, "Open files and connections, of those that the process may have.",
			one(`process_open_fds`+of+` / process_max_fds`+of, "{{job}} {{instance}}")},
		view{"Restarts", count, "Starts of a process in the last hour.",
			one(`changes(process_start_time_seconds`+of+`[1h])`, "{{job}} {{instance}}")},
	)
}
