package manual

import (
	"os"
	"slices"
	"testing"

	"belfry/cmd/belfry/internal/environment"
	"belfry/pkg/settings"
	gateway "belfry/services/gateway/app"
	worker "belfry/services/worker/app"
)

func TestConfigurationIsCurrent(t *testing.T) {
	want, err := Configuration()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/configuration.md is not current: make docs")
	}
}

func TestKnownNamesAreThoseOfThePrograms(t *testing.T) {
	var read []string
	for _, spec := range []any{&gateway.Config{}, &worker.Config{}, &environment.Emit{}, &environment.Listen{}, &environment.Token{}} {
		names, err := settings.Names(spec)
		if err != nil {
			t.Fatal(err)
		}
		read = append(read, names...)
	}
	slices.Sort(read)
	read = slices.Compact(read)
	known := settings.Known()
	for _, name := range read {
		if !slices.Contains(known, name) {
			t.Errorf("%s is read, but is not in pkg/settings/known.go", name)
		}
	}
	for _, name := range known {
		if !slices.Contains(read, name) {
			t.Errorf("%s is in pkg/settings/known.go, but nothing reads it", name)
		}
	}
}
