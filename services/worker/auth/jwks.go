package auth

import (
	"encoding/json"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"belfry/pkg/exactjson"
)

// secretPolicy says whether a JWKS may hold shared secrets ("oct"): one that
// comes from an address must not, because whoever can read it could sign.
type secretPolicy bool

const (
	secretsAllowed secretPolicy = true
	secretsIgnored secretPolicy = false
)

var errNoUsable = errors.New("a usable key is RSA, P-256, P-384, P-521 or Ed25519")

// keySet is what could be read of a JSON web key set.
type keySet struct {
	keys    []key
	others  int   // keys that are not for checking signatures
	skipped int   // keys that cannot be used
	why     error // of the last one
}

// parseJWKS reads a key set (RFC 7517 5) one key at a time. It skips keys that are
// not for verifying signatures, not supported or malformed. A set without a usable
// key is an error.
func parseJWKS(text []byte, secrets secretPolicy) (keySet, error) {
	if err := exactjson.CheckTop(text); err != nil {
		return keySet{}, fmt.Errorf("it is not a JSON web key set: %w", err)
	}
	var list struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &list); err != nil || list.Keys == nil {
		return keySet{}, errors.New(`it is not a JSON web key set, an object with a list "keys"`)
	}
	var set keySet
	for i, text := range list.Keys {
		k, err := parseJWK(text, secrets)
		if err == nil && len(set.keys) == maxKeys {
			err = fmt.Errorf("a set has at most %d usable keys", maxKeys)
		}
		if errors.Is(err, errOtherUse) {
			set.others++
			continue
		}
		if err != nil {
			set.skipped++
			set.why = fmt.Errorf("key %d: %w", i+1, err)
			continue
		}
		set.keys = append(set.keys, k)
	}
	if len(set.keys) == 0 {
		return keySet{}, fmt.Errorf("the key set has no usable key: %d cannot be used, %d are not for checking signatures: %w",
			set.skipped, set.others, errors.Join(errNoUsable, set.why))
	}
	return set, nil
}

func (s keySet) logSkipped(logger *zap.Logger, from string) {
	if s.skipped > 0 {
		logger.Warn("some keys of the key set cannot be used: tokens signed with them are refused",
			zap.String("from", from), zap.Int("keys", len(s.keys)), zap.Int("skipped", s.skipped), zap.Error(s.why))
	}
}
