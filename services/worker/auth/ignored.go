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

// ignoredTexts are the log's explanations of the reasons.
var ignoredTexts = map[string]string{
	ignoredShape: "it is neither a string nor a list of strings, so it grants nothing",
	ignoredItem:  "an item is not a string, so that item grants nothing",
	ignoredLong:  "a pattern is longer than any group can be, so that pattern grants nothing",
	ignoredMany:  "it has more than 256 patterns, and only the first 256 are used",
}

// ignored reports parts of groups claims that cannot be understood. Each kind is
// logged once and counted every time: an issuer writes all its tokens in the same
// way, so that more log lines would add nothing.
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
		i.logger.Warn("cannot use the groups claim of a token, whose user may connect all the same: compare BELFRY_GROUPS_CLAIM with what the issuer writes; logged once",
			zap.String("claim", i.claim), zap.String("what", ignoredTexts[reason]))
	}
}
