package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// Bounds of keys.
const (
	maxKeyFile      = 1 << 20
	maxKeys         = 32 // a token without a kid is tried against all of its kind
	minSecretBytes  = 32 // RFC 7518 3.2: at least the size of the hash
	minRSABits      = 2048
	maxRSABits      = 8192 // a bigger one makes every check a long one
	methodHS256     = "HS256"
	methodRS256     = "RS256"
	methodES256     = "ES256"
	methodEdDSA     = "EdDSA"
	pemTypePrivate  = "PRIVATE KEY"
	pemTypePublic   = "PUBLIC KEY"
	pemTypeRSA      = "RSA PUBLIC KEY"
	pemTypeCert     = "CERTIFICATE"
	pemTypeECParams = "EC PARAMETERS"
)

// key is one verification key. Its method follows from its kind alone, so that
// no token can choose to have a public key used as a secret.
type key struct {
	kid    string // empty: not named
	method string
	public any // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

func newKey(kid string, public any) (key, error) {
	k := key{kid: kid, public: public}
	switch p := public.(type) {
	case []byte:
		if len(p) < minSecretBytes {
			return key{}, fmt.Errorf("a secret needs at least %d bytes", minSecretBytes)
		}
		k.method = methodHS256
	case *rsa.PublicKey:
		if bits := p.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return key{}, fmt.Errorf("an RSA key has %d to %d bits, this one %d", minRSABits, maxRSABits, bits)
		}
		k.method = methodRS256
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return key{}, fmt.Errorf("an elliptic curve key must be of P-256 (ES256), this one is of %s", p.Curve.Params().Name)
		}
		k.method = methodES256
	case ed25519.PublicKey:
		k.method = methodEdDSA
	default:
		return key{}, fmt.Errorf("a key of kind %T is not supported", public)
	}
	return k, nil
}

// LoadSecret reads an HS256 secret, the raw bytes of a file without a final
// line end. What looks like a public key is refused: used as a secret, it would
// let everybody who knows it sign tokens.
func LoadSecret(path string) (KeySource, error) {
	text, err := readBounded(path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("read secret: %w", err)
	}
	k, err := parseSecret(text)
	if err != nil {
		return nil, fmt.Errorf("read secret %s: %w", path, err)
	}
	return fixedKeys{k}, nil
}

func parseSecret(text []byte) (key, error) {
	secret := bytes.TrimRight(text, "\r\n")
	for _, mark := range []string{"-----BEGIN ", "ssh-", "ecdsa-", "{", "\x30\x82", "\x30\x59", "\x30\x2a"} {
		if bytes.HasPrefix(bytes.TrimLeft(secret, " \t\r\n\ufeff"), []byte(mark)) {
			return key{}, errors.New("it looks like a key, not like a secret; a public key belongs into BELFRY_JWT_KEY_FILE")
		}
	}
	return newKey("", secret)
}

// LoadKeys reads verification keys: a PEM file of one or more public keys or
// certificates, or a JWKS (RFC 7517 5).
func LoadKeys(path string) (KeySource, error) {
	text, err := readBounded(path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	var keys []key
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		keys, err = parseJWKS(text, secretsAllowed)
	} else {
		keys, err = parsePEM(text)
	}
	if err != nil {
		return nil, fmt.Errorf("read keys %s: %w", path, err)
	}
	return fixedKeys(keys), nil
}

func parsePEM(text []byte) ([]key, error) {
	var keys []key
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == pemTypeECParams {
			continue
		}
		public, err := publicOf(block)
		if err != nil {
			return nil, err
		}
		k, err := newKey("", public)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	switch {
	case len(keys) == 0:
		return nil, errors.New("it has neither a PEM block nor a JWKS; a shared secret belongs into BELFRY_JWT_SECRET_FILE")
	case len(keys) > maxKeys:
		return nil, fmt.Errorf("more than %d keys", maxKeys)
	}
	return keys, nil
}

func publicOf(block *pem.Block) (any, error) {
	switch block.Type {
	case pemTypePublic:
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read public key: %w", err)
		}
		return public, nil
	case pemTypeRSA:
		public, err := x509.ParsePKCS1PublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read RSA public key: %w", err)
		}
		return public, nil
	case pemTypeCert:
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read certificate: %w", err)
		}
		return cert.PublicKey, nil
	}
	if bytes.HasSuffix([]byte(block.Type), []byte(pemTypePrivate)) {
		return nil, errors.New("it holds a private key, which a worker must not have; give it the public key")
	}
	return nil, fmt.Errorf("a PEM block %q is not a public key", block.Type)
}
