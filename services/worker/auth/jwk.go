package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"belfry/pkg/exactjson"
)

// jwk is a JSON web key (RFC 7517 4, RFC 7518 6, RFC 8037 2), the members that
// verification needs.
type jwk struct {
	Kty    string   `json:"kty"`
	Kid    string   `json:"kid"`
	Use    string   `json:"use"`
	KeyOps []string `json:"key_ops"`
	Alg    string   `json:"alg"`
	Crv    string   `json:"crv"`
	N      string   `json:"n"`
	E      string   `json:"e"`
	X      string   `json:"x"`
	Y      string   `json:"y"`
	K      string   `json:"k"`
	// X5C is a chain of certificates in standard base64; the first one holds the key.
	X5C json.RawMessage `json:"x5c"`
}

// errOtherUse says that a key is not for checking signatures. Many issuers
// publish keys for encryption beside them.
var errOtherUse = errors.New("it is not for checking signatures")

// parseJWK reads one key of a set. Its errors hold no key.
func parseJWK(text []byte, secrets secretPolicy) (key, error) {
	if err := exactjson.CheckFolded(text); err != nil {
		return key{}, err
	}
	var j jwk
	if err := json.Unmarshal(text, &j); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) && kind.Field != "" {
			return key{}, fmt.Errorf("its %q is a %s", kind.Field, kind.Value)
		}
		return key{}, errors.New("it is not a JSON object")
	}
	if (j.Use != "" && j.Use != "sig") || (j.KeyOps != nil && !slices.Contains(j.KeyOps, "verify")) {
		return key{}, errOtherUse
	}
	public, err := j.public(secrets)
	if err != nil {
		return key{}, err
	}
	return newKey(j.Kid, j.Alg, public)
}

// public reads the key from its members or, if there are none, from its
// certificate. If it has both, they must hold the same key (RFC 7517 4.7).
func (j jwk) public(secrets secretPolicy) (any, error) {
	certified, certErr := j.certified()
	bare := j.N == "" && j.E == "" && j.X == "" && j.Y == ""
	if bare && (j.Kty == "RSA" || j.Kty == "EC" || j.Kty == "OKP") && len(j.X5C) > 0 {
		return certified, certErr
	}
	public, err := j.members(secrets)
	if err != nil {
		return nil, err
	}
	own, can := public.(interface{ Equal(x crypto.PublicKey) bool })
	if certErr == nil && certified != nil && can && !own.Equal(certified) {
		return nil, errors.New(`its "x5c" is the certificate of another key`)
	}
	return public, nil
}

// certified returns the key of the first certificate, or nil if there is none.
func (j jwk) certified() (any, error) {
	if len(j.X5C) == 0 {
		return nil, nil
	}
	var chain []string
	if err := json.Unmarshal(j.X5C, &chain); err != nil || len(chain) == 0 {
		return nil, errors.New(`its "x5c" is not a list of certificates`)
	}
	der, err := base64.StdEncoding.DecodeString(chain[0])
	if err != nil {
		return nil, errors.New(`its "x5c" is not base64`)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf(`its "x5c": %w`, err)
	}
	return cert.PublicKey, nil
}

func (j jwk) members(secrets secretPolicy) (any, error) {
	switch j.Kty {
	case "RSA":
		return j.rsa()
	case "EC":
		return j.ecdsa()
	case "OKP":
		if j.Crv != "Ed25519" {
			return nil, fmt.Errorf("its curve %q is not supported: Ed25519 is", j.Crv)
		}
		x, err := member(j.X)
		if err != nil || len(x) != ed25519.PublicKeySize {
			return nil, errors.New(`its "x" is not 32 bytes in base64url`)
		}
		return ed25519.PublicKey(x), nil
	case "oct":
		if secrets == secretsIgnored {
			return nil, errors.New("it is a shared secret, which must not be fetched from an address: whoever can read it could sign tokens")
		}
		return member(j.K)
	}
	return nil, fmt.Errorf("its kind %q is not supported", j.Kty)
}

func (j jwk) rsa() (any, error) {
	n, err := member(j.N)
	if err != nil || len(n) > maxRSABits/8+1 {
		return nil, errors.New(`its "n" is no modulus in base64url`)
	}
	e, err := member(j.E)
	if err != nil {
		return nil, errors.New(`its "e" is no exponent in base64url`)
	}
	exponent := new(big.Int).SetBytes(e)
	if !exponent.IsInt64() || exponent.Int64() < 3 || exponent.Int64() > 1<<31-1 || exponent.Bit(0) == 0 {
		return nil, errors.New(`its "e" is not an odd number of 3 to 2^31-1`)
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}, nil
}

func (j jwk) ecdsa() (any, error) {
	curves := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
	curve, known := curves[j.Crv]
	if !known {
		return nil, fmt.Errorf("its curve %q is not supported: P-256, P-384 and P-521 are", j.Crv)
	}
	size := (curve.Params().BitSize + 7) / 8
	point := []byte{4} // uncompressed (SEC 1, 2.3.3)
	for _, text := range []string{j.X, j.Y} {
		coordinate, err := member(text)
		// Some issuers leave leading zeros out, which RFC 7518 6.2.1.2 forbids.
		if err != nil || len(coordinate) > size {
			return nil, fmt.Errorf(`its "x" and "y" are not %d bytes each in base64url`, size)
		}
		point = append(append(point, make([]byte, size-len(coordinate))...), coordinate...)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, point) // checks that it is on the curve
	if err != nil {
		return nil, errors.New(`its "x" and "y" are no point of the curve`)
	}
	return public, nil
}

// member decodes base64url, with or without padding: some issuers pad.
func member(text string) ([]byte, error) {
	out, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(out) == 0 {
		return nil, errors.New("a member is missing or not base64url")
	}
	return out, nil
}
