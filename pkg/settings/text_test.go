package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInvisibleCharactersAreNamed(t *testing.T) {
	for entry, want := range map[string]string{
		"BELFRY_NAME=a\r": "BELFRY_NAME holds a carriage return (CR)",
		"BELFRY_AMQP_URL=amqp://u:hidden@127.0.0.1/\r":     "BELFRY_AMQP_URL holds a carriage return (CR)",
		"BELFRY_AMQP_URL=\ufeffamqp://u:hidden@127.0.0.1/": "BELFRY_AMQP_URL holds a byte order mark (BOM)",
		"\ufeffBELFRY_AMQP_URL=hidden":                     "BELFRY_AMQP_URL has a byte order mark (BOM) before its name",
		"BELFRY_ALLOWED_ORIGINS=a\nb":                      "BELFRY_ALLOWED_ORIGINS holds a line break",
		"BELFRY_NAME=a\x00":                                "BELFRY_NAME holds the control character U+0000",
		"BELFRY_NAME=Zoë 7":                                "",
		"OTHER=a\r":                                        "",
	} {
		err := checkText([]string{entry})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden")) {
			t.Errorf("%q: got %v, want %q", entry, err, want)
		}
	}
	t.Setenv("BELFRY_NAME", "a\r")
	var b Broker
	if err := Load(&b); err == nil || !strings.Contains(err.Error(), "carriage return") {
		t.Errorf("Load: %v", err)
	}
}

func TestFileWithByteOrderMarkIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.pem")
	for text, want := range map[string]string{"\ufeff-----BEGIN": "byte order mark", "-----BEGIN": "", "": "", "\xef\xbb": ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := CheckFile("BELFRY_AMQP_CA_FILE", path)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestHelpListsEveryVariable(t *testing.T) {
	text, err := Help(&Broker{})
	if err != nil {
		t.Fatal(err)
	}
	names, err := Names(&Broker{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.Contains(text, "  "+name+" (") {
			t.Errorf("%s is missing in\n%s", name, text)
		}
	}
}
