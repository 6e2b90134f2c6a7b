package tidy

import "regexp"

// oldWords are the names that the code had before, each with the name that it has now. A pattern spares English and names of
// libraries: what is also an English word is matched as an identifier only.
var oldWords = []word{
	{regexp.MustCompile(`\*flow\b[^.]|\btype flow\b|\b(max|new)Flows?\b|\bflow\.go\b|` +
		`\b([Aa]|[Tt]he|[Oo]ne|[Aa]nother) flows?(\.|,|;|:|\)| [^r\s]| r[^u])`),
		"say batchWorker: the goroutine that takes one batch from a bucketQueue to its answers; a flow rule is Sentinel's"},
	{regexp.MustCompile(`(?i)\bparcels?\b|[Pp]arcels?[A-Z]|[a-z]Parcels?\b`), "say publication: a record on its way to Kafka"},
	{regexp.MustCompile(`\*sight\b|\btype sight\b|\bsight\(\)|\bsight\.go\b|\bnewSight\b|\b([Aa]|[Tt]he) sight\b`),
		"say stockSnapshot: what was read of some SKUs in all buckets of a sale"},
	{regexp.MustCompile(`\b[Mm]overs?\b|\b[a-z]+Movers?\b|\b[Mm]overs?[A-Z]`),
		"say rebalancer: it moves units of a SKU to the bucket where buyers ask for them"},
	{regexp.MustCompile(`(?i)\bseekers?\b`), "say waitingPurchase: a purchase that waits at the rebalancer"},
	{regexp.MustCompile(`\btype (turn|ticket|pass)\b|(^|\W)\*(turn|ticket)\b`),
		"say round, pendingTransfer, permit: the old name has another meaning in English or in the vocabulary"},
	{regexp.MustCompile(`(?i)\bgather\.go\b|\bexpectNoMore\b|\btype gather\b|\) (gather|expectMore|arrived)\(`),
		"say batchfill, waitForMore, signalIfFull, cancelWait"},
	{regexp.MustCompile(`\bLeft(As|For)\b|\bledger\.(Held|Left)\b|\bplan\.Left\b`),
		"say Releasing, Released, NewStatus, Reason: *held* is only what a buyer was promised"},
	{regexp.MustCompile(`(?i)\bcouriers?\b|[a-z]Courier|\bcourier[A-Z]`),
		"say outboxApplier: it applies in Redis what the database has given back"},
	{regexp.MustCompile(`\b[Kk]eepers?\b|\b[a-z]+Keepers?\b|\b[Kk]eeper[A-Z]`),
		"say controller where it rebuilds buckets, latchWatcher where it opens sold-out latches"},
	{regexp.MustCompile(`\b[Rr]otas?\b|\brota[A-Z]|[a-z]Rota\b`), "say roundRobin: work that is taken in rotation"},
	{regexp.MustCompile(`\b[Cc]ame\b *(:=|= |time\.)|\bCame:|\.[Cc]ame\b`),
		"say ArrivedAt, arrivedAt: when the gateway had read the request"},
	{regexp.MustCompile(`(?i)\bundertakers?\b`), "say deadLetterPublisher"},
	{regexp.MustCompile(`\b([Bb]ury|[Bb]uries|[Bb]uried|[Gg]raves?)\b|\b[a-z]+(Grave|Bury|Buried)\b`),
		"say moveToDeadLetters, deadLetters"},
	{regexp.MustCompile(`\bbooks +\*store\.Store\b|\bbooks(, err)? :?= store\.|\b[a-z]\.books\.(Close|Changes|Settle)\b`),
		"say store or db: *books* are the five terms of the stock equation"},
	{regexp.MustCompile(`\bplacesPerBuyer\b|\bplaces\.go\b|\bword\.go\b|\bfollower\.go\b`),
		"say buyerRequests, heartbeat, cataloguePoller: place, word and follower had several meanings"},
	{regexp.MustCompile(`(?i)\b(catalogue|latch) (follower|keeper)\b|\bleaves? word\b|\bNoted:`),
		"say catalogue poller, latch watcher, heartbeat"},
}
