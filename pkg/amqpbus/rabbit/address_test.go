package rabbit

import (
	"encoding/json"
	"os"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// TestLibraryReadsAddressesAlike goes through the forms that all of
// Belfry reads alike.
func TestLibraryReadsAddressesAlike(t *testing.T) {
	text, err := os.ReadFile("../testdata/broker_addresses.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Name, Address string
		Means         *struct {
			Host, User, Password, VHost string
			Port                        int
		}
	}
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 {
		t.Fatal("the table is empty")
	}
	for _, row := range rows {
		targets, err := parse(Options{URL: row.Address, Insecure: true})
		if row.Means == nil {
			if err == nil {
				t.Errorf("%s: %s is taken", row.Name, targets)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", row.Name, err)
			continue
		}
		read, err := amqp.ParseURI(withoutTLS(targets[0]).Reveal())
		if err != nil {
			t.Errorf("%s: %v", row.Name, err)
			continue
		}
		if read.Host != row.Means.Host || read.Port != row.Means.Port || read.Username != row.Means.User ||
			read.Password != row.Means.Password || read.Vhost != row.Means.VHost {
			t.Errorf("%s: the library reads %+v", row.Name, read)
		}
	}
}
