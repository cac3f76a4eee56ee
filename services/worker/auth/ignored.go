package auth

import (
	"sync"

	"go.uber.org/zap"
)

// Why a part of the groups claim grants nothing, the values of the label
// `reason`.
const (
	ignoredShape = "shape" // the claim is neither a list nor a string
	ignoredItem  = "item"  // an item of the list is not a string
	ignoredLong  = "long"  // a pattern is longer than any group
	ignoredMany  = "many"  // there are more patterns than an identity carries
)

// ignoredTexts say what it means, for the log.
var ignoredTexts = map[string]string{
	ignoredShape: "it is neither a list of strings nor a string: it grants nothing",
	ignoredItem:  "an item of it is not a string: the item grants nothing",
	ignoredLong:  "a pattern in it is longer than any group: the pattern grants nothing",
	ignoredMany:  "it has more than 256 patterns: the first 256 count",
}

// ignored reports what in a groups claim is not understood: the first time of
// each kind in the log, every time in the metric. An issuer writes all its
// tokens alike, so more lines would say nothing new.
type ignored struct {
	claim   string
	logger  *zap.Logger
	metrics *Metrics

	mu   sync.Mutex
	told map[string]bool
}

func newIgnored(claim string, logger *zap.Logger, m *Metrics) *ignored {
	return &ignored{claim: claim, logger: logger, metrics: m, told: map[string]bool{}}
}

func (i *ignored) report(reason string) {
	i.metrics.ignored.WithLabelValues(reason).Inc()
	i.mu.Lock()
	told := i.told[reason]
	i.told[reason] = true
	i.mu.Unlock()
	if !told {
		i.logger.Warn("groups claim of a token not understood; its user is let in. Check BELFRY_GROUPS_CLAIM and what the issuer writes there. Said once; belfry_worker_claims_ignored_total counts on",
			zap.String("claim", i.claim), zap.String("what", ignoredTexts[reason]))
	}
}
