package logmodel

// plant is an error in the rules that the model must find.
type plant int

const (
	nothing plant = iota
	noFingerprint
	noFeed
	joinAtOnce
	windowForAll
	olderRevision
	anyBatchActivates
	copiesFromHere
	noLookAtEnd
	holeIgnored
	noCut
	notTrimmed
	gapAtReset
	sameFeed
	silentTruncation
	notVerified
	noBase
	aheadNotAwaited
	caughtUpEarly
	olderSnapshot
	noIncarnation
	resumeAtCovered
	anyReset
	plants
)

var names = [plants]string{
	nothing:           "the rules",
	noFingerprint:     "fingerprints say nothing",
	noFeed:            "batches of another feed are taken",
	joinAtOnce:        "a join is answered at once",
	windowForAll:      "the window serves groups and places that it does not know",
	olderRevision:     "batches of an older revision are taken",
	anyBatchActivates: "any batch makes a join active",
	copiesFromHere:    "readers do not look back for copies",
	noLookAtEnd:       "a feed that begins at the end is read without looking back",
	holeIgnored:       "a missing batch is passed over",
	noCut:             "a batch is of two revisions",
	notTrimmed:        "what is covered is delivered again",
	gapAtReset:        "a gap is told before the log is covered again",
	sameFeed:          "a reset does not end the feed",
	silentTruncation:  "retention tells nobody",
	notVerified:       "a reader goes on in another log",
	noBase:            "a change is applied without its base",
	aheadNotAwaited:   "a cursor that is ahead is not waited for",
	caughtUpEarly:     "catching up ends with the first filling",
	olderSnapshot:     "an older snapshot is applied",
	noIncarnation:     "messages of a gateway's last life are believed",
	resumeAtCovered:   "whoever resumes goes on at covered",
	anyReset:          "a reset of another place counts",
}

// harmless says why an error need not be found.
var harmless = map[plant]string{
	olderSnapshot: "the table's revision becomes older with it: either the gateway takes what is whole for that, or it drops it and sends its snapshot",
}
