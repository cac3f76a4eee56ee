package protocol

import "testing"

// TestCloseCodesGolden compares CloseRules with the table that the tests of the other
// clients use, too (clients/js/test/closing.test.ts).
func TestCloseCodesGolden(t *testing.T) {
	var rows []struct {
		Code          CloseCode `json:"code"`
		Reason        string    `json:"reason"`
		Reconnect     bool      `json:"reconnect"`
		NewToken      bool      `json:"new_token"`
		ClientMistake bool      `json:"client_mistake"`
	}
	readGolden(t, "close_codes.json", &rows)
	if len(rows) != len(CloseRules) {
		t.Fatalf("%d rows in close_codes.json, %d in CloseRules", len(rows), len(CloseRules))
	}
	for i, want := range rows {
		got := CloseRules[i]
		if got.Code != want.Code || got.Reason != want.Reason || got.Reconnect != want.Reconnect || got.NewToken != want.NewToken {
			t.Errorf("CloseRules[%d] = %+v, close_codes.json has %+v", i, got, want)
		}
		// Codes below 4000 that forbid a reconnect are those of RFC 6455 7.4.1 for
		// what a client did wrong.
		if mistake := got.Code < 4000 && !got.Reconnect; mistake != want.ClientMistake {
			t.Errorf("code %d: client_mistake is %t, want %t", want.Code, want.ClientMistake, mistake)
		}
		if rule, ok := want.Code.Rule(); !ok || rule != got {
			t.Errorf("%d.Rule() = %+v, %t", want.Code, rule, ok)
		}
		if len(got.Reason) > MaxCloseReason {
			t.Errorf("the reason of %d has %d bytes, at most %d fit", got.Code, len(got.Reason), MaxCloseReason)
		}
	}
}
