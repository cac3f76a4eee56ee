package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"belfry/pkg/protocol"
)

// saying signs claims that are written by hand: exp is added.
func saying(t *testing.T, claims string) protocol.Token {
	t.Helper()
	return signedParts(t, `{"alg":"HS256"}`, fmt.Sprintf(`{"exp":%d,%s`, testNow.Unix()+60, strings.TrimPrefix(claims, "{")))
}

// signedParts signs any texts as header and claims.
func signedParts(t *testing.T, header, claims string) protocol.Token {
	t.Helper()
	text := b64([]byte(header)) + "." + b64([]byte(claims))
	return protocol.NewToken(text + "." + b64(must(jwt.SigningMethodHS256.Sign(text, testSecret))))
}

func readerOf(t *testing.T, names ClaimNames, logger *zap.Logger) *JWT {
	t.Helper()
	return must(NewJWT(JWTOptions{
		Keys: fixedKeys{must(newKey("", "", testSecret))}, Claims: names, Logger: logger, Now: newClock().now,
	}))
}

// TestGroupsClaimOfEveryForm: it grants what is understood, and never sends the
// user away. The log says so once for each kind.
func TestGroupsClaimOfEveryForm(t *testing.T) {
	core, lines := observer.New(zap.InfoLevel)
	j := readerOf(t, ClaimNames{User: "sub", Groups: "groups"}, zap.New(core))
	many := `["` + strings.Repeat(`g-1","`, maxClaimPatterns) + `late-1"]`
	long := strings.Repeat("g", maxPatternBytes+1)
	for _, row := range []struct {
		claim string
		want  []string
		lines int // so far
	}{
		{`null`, nil, 0},
		{`[]`, nil, 0},
		{`"jobs-*"`, []string{"jobs-*"}, 0},
		{`["jobs-*","x-1"]`, []string{"jobs-*", "x-1"}, 0},
		{`["/admins",""]`, []string{"/admins", ""}, 0},
		{`{"jobs":["*"]}`, nil, 1},
		{`7`, nil, 1},
		{`true`, nil, 1},
		{`1e400`, nil, 1},
		{`[{"name":"jobs-*"},"x-1"]`, []string{"x-1"}, 2},
		{`[7]`, nil, 2},
		{`[null,["jobs-*"],false]`, nil, 2},
		{`["` + long + `","x-1"]`, []string{"x-1"}, 3},
		{many, slices.Repeat([]string{"g-1"}, maxClaimPatterns), 4},
		{many, slices.Repeat([]string{"g-1"}, maxClaimPatterns), 4},
		{`{}`, nil, 4},
	} {
		id, err := j.Authenticate(context.Background(), saying(t, `{"sub":7,"groups":`+row.claim+`}`), "")
		if err != nil || !slices.Equal(id.Groups, row.want) {
			t.Errorf("%.60s: got %q, %v; want %q", row.claim, id.Groups, err, row.want)
		}
		if lines.Len() != row.lines {
			t.Errorf("%.60s: %d lines in the log, want %d", row.claim, lines.Len(), row.lines)
		}
	}
	for _, line := range lines.All() {
		if text := fmt.Sprint(line.Message, line.Context); strings.Contains(text, "x-1") || strings.Contains(text, "ggg") {
			t.Errorf("the log shows a claim's value: %s", text)
		}
	}
}

func TestNestedClaims(t *testing.T) {
	claims := `{"sub":"top","realm_access":{"roles":["jobs-*"],"id":7,"a.b":"dotted"},"resource_access":{"my.client":{"roles":["x-1"]}},
		"https://example.org/groups":["u-1"],"a.b":["whole"],"a":{"b":["walked"]},"null":null,"list":[{"roles":["y-1"]}],"back\\slash":["z-1"]}`
	for _, row := range []struct {
		name string
		want []string
	}{
		{"realm_access.roles", []string{"jobs-*"}},
		{`resource_access.my\.client.roles`, []string{"x-1"}},
		{"resource_access.my.client.roles", nil},
		{"https://example.org/groups", []string{"u-1"}},
		{`https://example\.org/groups`, []string{"u-1"}},
		{"a.b", []string{"whole"}},
		{`a\.b`, []string{"whole"}},
		{"realm_access.a.b", nil},
		{`realm_access.a\.b`, []string{"dotted"}},
		{`back\\slash`, []string{"z-1"}},
		{"sub.roles", nil}, {"null.roles", nil}, {"null", nil}, {"list.roles", nil}, {"list.0.roles", nil}, {"absent.roles", nil}, {"realm_access.absent", nil},
		{"", nil},
	} {
		core, lines := observer.New(zap.InfoLevel)
		id, err := readerOf(t, ClaimNames{User: "sub", Groups: row.name}, zap.New(core)).Authenticate(context.Background(), saying(t, claims), "")
		if err != nil || !slices.Equal(id.Groups, row.want) || lines.Len() != 0 {
			t.Errorf("%q: got %q, %v, %v; want %q", row.name, id.Groups, err, lines.All(), row.want)
		}
	}
	id, err := readerOf(t, ClaimNames{User: "realm_access.id", SID: "realm_access.id"}, nil).Authenticate(context.Background(), saying(t, claims), "")
	if err != nil || string(id.User) != "7" || id.SID != "7" {
		t.Errorf("user and session by a path: %s, %q, %v", id.User, id.SID, err)
	}
	for _, name := range []string{".", "a.", ".a", "a..b", `a\`, `a\b`} {
		if CheckClaimName(name) == nil {
			t.Errorf("%q was taken as a claim's name", name)
		}
		if _, err := NewJWT(JWTOptions{Claims: ClaimNames{User: "sub", Groups: name}}); err == nil {
			t.Errorf("a checker with the claim %q was made", name)
		}
	}
}

// TestPutClaimIsFound: what is written under a name is read under it.
func TestPutClaimIsFound(t *testing.T) {
	for _, name := range []string{"sub", "a.b", "a.b.c", `a\.b`, `a\\.b`, "https://example.org/groups"} {
		claims := map[string]any{"a": "no object"}
		if err := PutClaim(claims, name, "x"); err != nil {
			t.Fatal(err)
		}
		if err := PutClaim(claims, "a.other", "y"); err != nil {
			t.Fatal(err)
		}
		if p := must(parseClaimPath(name)); p.find(claims) != "x" {
			t.Errorf("%s: got %v of %v", name, p.find(claims), claims)
		}
	}
	if PutClaim(map[string]any{}, "a..b", 1) == nil {
		t.Error("a..b was written")
	}
}

// TestSubjects: what OpenID Connect allows for `sub`, and what is no id.
func TestSubjects(t *testing.T) {
	j := readerOf(t, ClaimNames{User: "sub", SID: "sid"}, nil)
	quoted := func(text string) string { return string(must(json.Marshal(text))) }
	for claims, want := range map[string]string{
		`"sub":` + quoted(strings.Repeat("u", 255)): quoted(strings.Repeat("u", 255)),
		`"sub":` + quoted(strings.Repeat("ü", 255)): quoted(strings.Repeat("ü", 255)),
		`"sub":` + quoted(strings.Repeat("u", 256)): "",
		`"sub":"auth0|5f7c8ec7"`:                    `"auth0|5f7c8ec7"`,
		`"sub":"CN=Ann, O=Example"`:                 `"CN=Ann, O=Example"`,
		`"sub":18446744073709551616`:                `18446744073709551616`,
		`"sub":7.0`:                                 "",
		`"sub":7e0`:                                 "",
		`"sub":-0`:                                  "",
		`"sub":null`:                                "",
		`"sub":false`:                               "",
		`"sub":["7"]`:                               "",
		`"sub":{"id":7}`:                            "",
		`"sub":"\ud800"`:                            "",
		`"sub":7,"sid":null`:                        `7`,
		`"sub":7,"sid":""`:                          `7`,
		`"sub":7,"sid":42`:                          `7`,
		`"sub":7,"sid":4.2`:                         "",
		`"sub":7,"sid":["a"]`:                       "",
	} {
		id, err := j.Authenticate(context.Background(), saying(t, "{"+claims+"}"), "")
		if (want == "") != (err != nil) || string(id.User) != want {
			t.Errorf("%.60s: got %s, %v; want %s", claims, id.User, err, want)
		}
	}
}

// TestDoubledMembersAreRefused: the readers of a token must not differ about it.
func TestDoubledMembersAreRefused(t *testing.T) {
	j := readerOf(t, ClaimNames{User: "sub", Groups: "realm_access.roles"}, nil)
	const header, times = `{"alg":"HS256"}`, `"exp":1900000000`
	if _, err := j.Authenticate(context.Background(), signedParts(t, header, `{"sub":9,`+times+`}`), ""); err != nil {
		t.Fatal(err)
	}
	for name, parts := range map[string][2]string{
		"sub":             {header, `{"sub":9,"sub":12,` + times + `}`},
		"sub, escaped":    {header, `{"sub":9,"s\u0075b":12,` + times + `}`},
		"the same sub":    {header, `{"sub":9,"sub":9,` + times + `}`},
		"exp":             {header, `{"sub":9,` + times + `,"exp":1900000001}`},
		"an unused claim": {header, `{"sub":9,"x":1,"x":2,` + times + `}`},
		"a nested one":    {header, `{"sub":9,"realm_access":{"roles":[],"roles":["*"]},` + times + `}`},
		"alg":             {`{"alg":"none","alg":"HS256"}`, `{"sub":9,` + times + `}`},
		"kid":             {`{"alg":"HS256","kid":"a","kid":"b"}`, `{"sub":9,` + times + `}`},
		"two objects":     {header, `{"sub":9,` + times + `}{}`},
		"not UTF-8":       {header, "{\"sub\":\"\xff\"," + times + `}`},
		"a list":          {header, `[{"sub":9}]`},
	} {
		if _, err := j.Authenticate(context.Background(), signedParts(t, parts[0], parts[1]), ""); err == nil || !strings.Contains(err.Error(), "token refused") {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
}
