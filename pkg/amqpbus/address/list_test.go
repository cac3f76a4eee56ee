package address_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"belfry/pkg/amqpbus/address"
)

func TestLists(t *testing.T) {
	text, err := os.ReadFile("../testdata/broker_address_lists.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Name, List, Refused string
		Means               []string
	}
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		got, err := address.ParseList(row.List)
		if row.Means == nil {
			if err == nil || row.Refused == "" || !strings.Contains(err.Error(), row.Refused) || strings.Contains(err.Error(), "hid") {
				t.Errorf("%s: got %v, %v, want an error with %q", row.Name, got, err, row.Refused)
			}
			continue
		}
		var means []string
		for _, a := range got {
			means = append(means, a.Reveal())
		}
		if err != nil || !slices.Equal(means, row.Means) {
			t.Errorf("%s: got %v, %v, want %v", row.Name, means, err, row.Means)
		}
	}
	if len(rows) < 10 {
		t.Errorf("the table has %d rows", len(rows))
	}
	for _, row := range table(t) { // one address is a list of one
		one, err := address.Parse(row.Address)
		all, err2 := address.ParseList(row.Address)
		if (err == nil) != (err2 == nil) || err == nil && (len(all) != 1 || all[0] != one) {
			t.Errorf("%s: read alone it is %v, %v, as a list %v, %v", row.Name, one, err, all, err2)
		}
	}
}

func TestListIsBounded(t *testing.T) {
	if _, err := address.ParseList(strings.Repeat("amqp://u:p@h/,", 32) + "amqp://u:p@h/"); err == nil || !strings.Contains(err.Error(), "at most 32") {
		t.Errorf("33 addresses: %v", err)
	}
}

func TestListIsShownWithoutPasswords(t *testing.T) {
	all, err := address.ParseList("amqp://u:hidden@a/,amqp://u:secret@b/")
	if err != nil {
		t.Fatal(err)
	}
	if got := address.Strings(all); got != "amqp://u@a:5672/%2F,amqp://u@b:5672/%2F" {
		t.Errorf("got %s", got)
	}
}
