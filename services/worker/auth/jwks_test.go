package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"belfry/pkg/protocol"
)

// certificate is a self-signed one of testEC, or testRSA, in base64.
func certificate(t *testing.T, public, private any) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"}}
	return base64.StdEncoding.EncodeToString(must(x509.CreateCertificate(rand.Reader, template, template, public, private)))
}

// TestOddKeysArePassedOver: a key that nobody understands takes no other along.
func TestOddKeysArePassedOver(t *testing.T) {
	point := must(testEC.PublicKey.Bytes())[1:]
	for name, odd := range map[string]string{
		"kid a number":       strings.Replace(ecJWK("x", testEC, ""), `"x"`, `7`, 1),
		"kid an object":      strings.Replace(ecJWK("x", testEC, ""), `"x"`, `{}`, 1),
		"kty a list":         `{"kty":["RSA"]}`,
		"kty unknown":        `{"kty":"AKP","alg":"ML-DSA-65","pub":"AA"}`,
		"kty absent":         `{"kid":"x"}`,
		"use a list":         bareRSA("x", `,"use":["sig"]`),
		"use unknown":        bareRSA("x", `,"use":"tls"`),
		"key_ops a text":     bareRSA("x", `,"key_ops":"verify"`),
		"key_ops others":     bareRSA("x", `,"key_ops":["encrypt","wrapKey"]`),
		"alg a number":       bareRSA("x", `,"alg":256`),
		"alg of encryption":  bareRSA("x", `,"alg":"RSA-OAEP"`),
		"alg of another kty": bareRSA("x", `,"alg":"ES256"`),
		"alg none":           bareRSA("x", `,"alg":"none"`),
		"HS256 with RSA":     bareRSA("x", `,"alg":"HS256"`),
		"crv unknown":        `{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}`,
		"crv of OKP":         `{"kty":"OKP","crv":"Ed448","x":"AA"}`,
		"y absent":           fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q}`, b64(point[:32])),
		"off the curve":      fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q}`, b64(point[:32]), b64(point[:32])),
		"coordinate long":    fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q}`, b64(point), b64(point)),
		"n not base64":       `{"kty":"RSA","n":"!!","e":"AQAB"}`,
		"n of 512 bits":      fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB"}`, b64(testRSA.N.Bytes()[:64])),
		"n of 16384 bits":    fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB"}`, b64(make([]byte, 2048))),
		"e even":             strings.Replace(bareRSA("x", ""), `"AQAB"`, `"AQAA"`, 1),
		"e one":              strings.Replace(bareRSA("x", ""), `"AQAB"`, `"AQ"`, 1),
		"e huge":             strings.Replace(bareRSA("x", ""), `"AQAB"`, `"AQAAAAAAAAAAAAAB"`, 1),
		"doubled kty":        bareRSA("x", `,"kty":"RSA"`),
		"oct":                fmt.Sprintf(`{"kty":"oct","k":%q}`, b64(testSecret)),
		"x5c of another key": bareRSA("x", fmt.Sprintf(`,"x5c":[%q]`, certificate(t, &testEC.PublicKey, testEC))),
		"x5c alone, broken":  `{"kty":"RSA","x5c":["AAAA"]}`,
		"x5c alone, empty":   `{"kty":"RSA","x5c":[]}`,
		"a number":           `7`,
		"null":               `null`,
		"a text":             `"key"`,
		"a list":             `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, keys := range []string{odd + "," + edJWK("one", ""), edJWK("one", "") + "," + odd} {
				i := newIssuer(t, `{"keys":[`+keys+`]}`)
				r, j := remote(t, i.URL, newClock())
				for _, kid := range []string{"one", ""} {
					text := signed(t, jwt.SigningMethodEdDSA, testEd, func(k *jwt.Token, _ jwt.MapClaims) { k.Header["kid"] = kid })
					if _, err := j.Authenticate(context.Background(), protocol.NewToken(text), ""); err != nil {
						t.Errorf("kid %q: %v", kid, err)
					}
				}
				if n := len(r.set.keys); n != 1 {
					t.Errorf("%d keys are usable, want 1", n)
				}
			}
		})
	}
}

// TestUnusualKeysAreUsed: what issuers publish, also where it is not quite as
// the RFCs have it.
func TestUnusualKeysAreUsed(t *testing.T) {
	short := shortEC()
	point := must(short.PublicKey.Bytes())[1:]
	for name, row := range map[string]struct {
		key    string
		method jwt.SigningMethod
		with   any
	}{
		"use sig":           {bareRSA("k", `,"use":"sig"`), jwt.SigningMethodRS256, testRSA},
		"kid null":          {strings.Replace(bareRSA("k", ""), `"k"`, `null`, 1), jwt.SigningMethodRS256, testRSA},
		"kid absent":        {strings.Replace(bareRSA("k", ""), `"kid":"k",`, ``, 1), jwt.SigningMethodRS256, testRSA},
		"key_ops":           {bareRSA("k", `,"key_ops":["verify"]`), jwt.SigningMethodRS256, testRSA},
		"unknown members":   {bareRSA("k", `,"x5t":7,"exp":1,"issuer":{"a":[]}`), jwt.SigningMethodRS256, testRSA},
		"x5c beside":        {bareRSA("k", fmt.Sprintf(`,"x5c":[%q]`, certificate(t, &testRSA.PublicKey, testRSA))), jwt.SigningMethodRS256, testRSA},
		"x5c beside, odd":   {bareRSA("k", `,"x5c":["AAAA"]`), jwt.SigningMethodRS256, testRSA},
		"x5c beside, text":  {bareRSA("k", `,"x5c":"AAAA"`), jwt.SigningMethodRS256, testRSA},
		"x5c alone, RSA":    {fmt.Sprintf(`{"kty":"RSA","kid":"k","x5c":[%q]}`, certificate(t, &testRSA.PublicKey, testRSA)), jwt.SigningMethodPS256, testRSA},
		"x5c alone, EC":     {fmt.Sprintf(`{"kty":"EC","kid":"k","x5c":[%q,"root"]}`, certificate(t, &testP384.PublicKey, testP384)), jwt.SigningMethodES384, testP384},
		"x5c alone, Ed":     {fmt.Sprintf(`{"kty":"OKP","kid":"k","x5c":[%q]}`, certificate(t, testEd.Public(), testEd)), jwt.SigningMethodEdDSA, testEd},
		"n padded":          {strings.Replace(bareRSA("k", ""), b64(testRSA.N.Bytes()), b64(testRSA.N.Bytes())+"==", 1), jwt.SigningMethodRS256, testRSA},
		"n with a zero":     {strings.Replace(bareRSA("k", ""), b64(testRSA.N.Bytes()), b64(append([]byte{0}, testRSA.N.Bytes()...)), 1), jwt.SigningMethodRS256, testRSA},
		"x without a zero":  {fmt.Sprintf(`{"kty":"EC","kid":"k","crv":"P-256","x":%q,"y":%q}`, b64(point[1:32]), b64(point[32:])), jwt.SigningMethodES256, short},
		"private as well":   {bareRSA("k", `,"d":"AA"`), jwt.SigningMethodRS256, testRSA},
		"alg Ed25519":       {edJWK("k", `,"alg":"Ed25519"`), jwt.SigningMethodEdDSA, testEd},
		"the same kid, one": {bareRSA("k", "") + "," + edJWK("k", "") + "," + ecJWK("k", testEC, ""), jwt.SigningMethodES256, testEC},
		"the same kid, two": {ecJWK("k", short, "") + "," + ecJWK("k", testEC, ""), jwt.SigningMethodES256, testEC},
		"the same twice":    {edJWK("k", "") + "," + edJWK("k", ""), jwt.SigningMethodEdDSA, testEd},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t, `{"keys":[`+row.key+`]}`)
			_, j := remote(t, i.URL, newClock())
			for _, kid := range []string{"k", ""} {
				text := signed(t, row.method, row.with, func(k *jwt.Token, _ jwt.MapClaims) {
					if kid != "" {
						k.Header["kid"] = kid
					}
				})
				if _, err := j.Authenticate(context.Background(), protocol.NewToken(text), ""); err != nil {
					t.Errorf("kid %q: %v", kid, err)
				}
			}
		})
	}
}

// shortEC is a key whose x begins with a zero.
var shortEC = sync.OnceValue(func() *ecdsa.PrivateKey {
	for {
		k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		if must(k.PublicKey.Bytes())[1] == 0 {
			return k
		}
	}
})

// TestHundredsOfKeys: named, and without names as far as one token is tried.
func TestHundredsOfKeys(t *testing.T) {
	others := make([]string, 500)
	for i := range others {
		k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		others[i] = ecJWK(fmt.Sprintf("key-%d", i), k, "")
	}
	last := ecJWK("last", testEC, "")
	token := func(kid string) protocol.Token {
		return protocol.NewToken(signed(t, jwt.SigningMethodES256, testEC, func(k *jwt.Token, _ jwt.MapClaims) {
			if kid != "" {
				k.Header["kid"] = kid
			}
		}))
	}
	check := func(keys []string, kid, want string) {
		t.Helper()
		i := newIssuer(t, `{"keys":[`+strings.Join(keys, ",")+`]}`)
		_, j := remote(t, i.URL, newClock())
		_, err := j.Authenticate(context.Background(), token(kid), "")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d keys, kid %q: got %v, want %q", len(keys), kid, err, want)
		}
	}
	check(append(others[:40:40], last), "", "")
	check(append(others[:500:500], last), "last", "")
	check(append(others[:maxTries-1:maxTries-1], last), "", "")
	check(append(others[:maxTries:maxTries], last), "", "kid")
}

// TestPassedOverKeysAreReported: those that cannot be used, and not those that
// are for something else.
func TestPassedOverKeysAreReported(t *testing.T) {
	core, lines := observer.New(zap.InfoLevel)
	enc := bareRSA("enc", `,"use":"enc","alg":"RSA-OAEP"`)
	if _, err := LoadKeys(fileOf(t, []byte(`{"keys":[`+enc+`,`+edJWK("one", "")+`]}`)), zap.New(core)); err != nil || lines.Len() != 0 {
		t.Errorf("a key for encryption: %v, %v", err, lines.All())
	}
	if _, err := LoadKeys(fileOf(t, []byte(`{"keys":[{"kty":"AKP"},`+edJWK("one", "")+`]}`)), zap.New(core)); err != nil || lines.Len() != 1 {
		t.Errorf("a key of an unknown kind: %v, %v", err, lines.All())
	}
}
