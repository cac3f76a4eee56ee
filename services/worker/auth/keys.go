package auth

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.uber.org/zap"
)

// Bounds of keys.
const (
	maxKeyFile      = 1 << 20
	maxKeys         = 1000 // of one set or file
	minRSABits      = 2048
	maxRSABits      = 8192 // a bigger one makes every check a long one
	pemTypePrivate  = "PRIVATE KEY"
	pemTypePublic   = "PUBLIC KEY"
	pemTypeRSA      = "RSA PUBLIC KEY"
	pemTypeCert     = "CERTIFICATE"
	pemTypeECParams = "EC PARAMETERS"
)

// key is one verification key. Its methods follow from its kind alone, so that
// no token can choose to have a public key used as a secret.
type key struct {
	kid     string // empty: not named
	methods []string
	public  any // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// newKey makes a key for all methods of its kind or, where alg is not empty, for
// that one.
func newKey(kid, alg string, public any) (key, error) {
	methods, err := methodsOf(public)
	if err != nil {
		return key{}, err
	}
	if alg != "" {
		if !slices.Contains(methods, spelling(alg)) {
			return key{}, fmt.Errorf("a key of this kind is for %s, not for %q", strings.Join(methods, ", "), alg)
		}
		methods = []string{spelling(alg)}
	}
	return key{kid: kid, methods: methods, public: public}, nil
}

// LoadSecret reads a secret for HS256, HS384 and HS512 as far as its length
// allows, the raw bytes of a file without a final
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
	return newKey("", "", secret)
}

// LoadKeys reads verification keys: a PEM file of one or more public keys or
// certificates, all of which must be usable, or a JWKS (RFC 7517 5), of which
// what is not usable is passed over and logged.
func LoadKeys(path string, logger *zap.Logger) (KeySource, error) {
	text, err := readBounded(path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		keys, err := parsePEM(text)
		if err != nil {
			return nil, fmt.Errorf("read keys %s: %w", path, err)
		}
		return fixedKeys(keys), nil
	}
	set, err := parseJWKS(text, secretsAllowed)
	if err != nil {
		return nil, fmt.Errorf("read keys %s: %w", path, err)
	}
	set.logSkipped(logger, path)
	return fixedKeys(set.keys), nil
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
		k, err := newKey("", "", public)
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
