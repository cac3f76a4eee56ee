package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// methodEdDSA is the name that golang-jwt gives both spellings of RFC 8037 3.1
// and RFC 9864 2.2.
const methodEdDSA = "EdDSA"

// The methods of each kind of key (RFC 7518 3.1).
var (
	rsaMethods = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	edMethods  = []string{methodEdDSA}
	ecMethods  = map[elliptic.Curve][]string{
		elliptic.P256(): {"ES256"}, elliptic.P384(): {"ES384"}, elliptic.P521(): {"ES512"},
	}
	// A secret has at least the size of the hash (RFC 7518 3.2).
	secretMethods = []struct {
		bytes int
		name  string
	}{{32, "HS256"}, {48, "HS384"}, {64, "HS512"}}
)

// allMethods are those that a token may name. "none" is not among them.
func allMethods() []string {
	out := append(append([]string{}, rsaMethods...), edMethods...)
	for _, m := range ecMethods {
		out = append(out, m...)
	}
	for _, m := range secretMethods {
		out = append(out, m.name)
	}
	return out
}

// spelling gives the one name of a method that has two.
func spelling(alg string) string {
	if alg == "Ed25519" {
		return methodEdDSA
	}
	return alg
}

// RFC 9864 names the curve where RFC 8037 names the family; golang-jwt knows
// the older name only.
func init() {
	jwt.RegisterSigningMethod("Ed25519", func() jwt.SigningMethod { return jwt.SigningMethodEdDSA })
}

// methodsOf gives the methods of a key's kind, or says why it cannot be used.
func methodsOf(public any) ([]string, error) {
	switch p := public.(type) {
	case []byte:
		var out []string
		for _, m := range secretMethods {
			if len(p) >= m.bytes {
				out = append(out, m.name)
			}
		}
		if len(out) == 0 {
			return nil, fmt.Errorf("a secret needs at least %d bytes", secretMethods[0].bytes)
		}
		return out, nil
	case *rsa.PublicKey:
		if bits := p.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return nil, fmt.Errorf("an RSA key has %d to %d bits, this one %d", minRSABits, maxRSABits, bits)
		}
		return rsaMethods, nil
	case *ecdsa.PublicKey:
		if m, known := ecMethods[p.Curve]; known {
			return m, nil
		}
		return nil, fmt.Errorf("an elliptic curve key must be of P-256, P-384 or P-521, this one is of %s", p.Curve.Params().Name)
	case ed25519.PublicKey:
		return edMethods, nil
	}
	return nil, errors.New("it is neither an RSA, nor an elliptic curve, nor an Ed25519 key")
}
