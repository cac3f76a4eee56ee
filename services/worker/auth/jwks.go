package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// secretPolicy says whether a JWKS may hold shared secrets ("oct"): one that
// comes from an address must not, because whoever can read it could sign.
type secretPolicy bool

const (
	secretsAllowed secretPolicy = true
	secretsIgnored secretPolicy = false
)

// jwk is a JSON web key (RFC 7517 4, RFC 7518 6, RFC 8037 2), the members that
// verification needs.
type jwk struct {
	Kty string `json:"kty"`
	Kid string `json:"kid"`
	Use string `json:"use"`
	Alg string `json:"alg"`
	Crv string `json:"crv"`
	N   string `json:"n"`
	E   string `json:"e"`
	X   string `json:"x"`
	Y   string `json:"y"`
	K   string `json:"k"`
}

// parseJWKS reads a key set. Keys that are not for verifying signatures, or of
// a kind that is not supported, are passed over (RFC 7517 5 asks for that); a
// set without any usable key is an error.
func parseJWKS(text []byte, secrets secretPolicy) ([]key, error) {
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("it is not a JSON web key set")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("more than %d keys", maxKeys)
	}
	var keys []key
	var last error
	for _, j := range set.Keys {
		k, err := j.key(secrets)
		if err != nil {
			last = err
			continue
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.Join(errors.New("the key set has no usable key"), last)
	}
	return keys, nil
}

func (j jwk) key(secrets secretPolicy) (key, error) {
	if j.Use != "" && j.Use != "sig" {
		return key{}, fmt.Errorf("a key is for %q", j.Use)
	}
	public, err := j.public(secrets)
	if err != nil {
		return key{}, err
	}
	k, err := newKey(j.Kid, public)
	if err != nil {
		return key{}, err
	}
	if j.Alg != "" && j.Alg != k.method {
		return key{}, fmt.Errorf("a key of kind %s is for %s, not for %s", j.Kty, k.method, j.Alg)
	}
	return k, nil
}

func (j jwk) public(secrets secretPolicy) (any, error) {
	switch {
	case j.Kty == "RSA":
		return j.rsa()
	case j.Kty == "EC" && j.Crv == "P-256":
		return j.ecdsa()
	case j.Kty == "OKP" && j.Crv == "Ed25519":
		x, err := member(j.X)
		if err != nil || len(x) != ed25519.PublicKeySize {
			return nil, errors.New("an Ed25519 key has no good x")
		}
		return ed25519.PublicKey(x), nil
	case j.Kty == "oct" && secrets == secretsAllowed:
		return member(j.K)
	}
	return nil, fmt.Errorf("a key of kind %q, curve %q is not supported here", j.Kty, j.Crv)
}

func (j jwk) rsa() (any, error) {
	n, err := member(j.N)
	if err != nil || len(n) > maxRSABits/8+1 {
		return nil, errors.New("an RSA key has no good n")
	}
	e, err := member(j.E)
	if err != nil || len(e) > 4 {
		return nil, errors.New("an RSA key has no good e")
	}
	exponent := new(big.Int).SetBytes(e).Int64()
	if exponent < 3 || exponent%2 == 0 || exponent > 1<<31-1 {
		return nil, errors.New("an RSA key has no good e")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent)}, nil
}

func (j jwk) ecdsa() (any, error) {
	x, errX := member(j.X)
	y, errY := member(j.Y)
	if errX != nil || errY != nil || len(x) != 32 || len(y) != 32 {
		return nil, errors.New("a P-256 key has no good point")
	}
	point := append(append([]byte{4}, x...), y...)
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point) // checks that it is on the curve
	if err != nil {
		return nil, fmt.Errorf("read P-256 key: %w", err)
	}
	return public, nil
}

func member(text string) ([]byte, error) {
	out, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(out) == 0 {
		return nil, errors.New("a member is missing or not base64url")
	}
	return out, nil
}
