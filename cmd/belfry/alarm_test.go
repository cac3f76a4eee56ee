package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// alarmed raises an alarm of the test's node until the test's end.
func alarmed(t *testing.T, set, on, off string) {
	t.Helper()
	n := node(t).Node
	if _, err := n.Ctl(set, on); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := n.Ctl(set, off); err != nil {
			t.Error(err)
		}
	})
}

// TestCommandsUnderAnAlarm: every command ends, within its time-out, and says
// what the broker says.
func TestCommandsUnderAnAlarm(t *testing.T) {
	for reason, alarm := range map[string][3]string{
		"low on memory": {"set_vm_memory_high_watermark", "0.00001", "0.4"},
		"low on disk":   {"set_disk_free_limit", "900000000000000", "50000000"},
	} {
		t.Run(reason, func(t *testing.T) {
			alone(t)
			configured(t, "guest")
			withBus(t, 1)
			alarmed(t, alarm[0], alarm[1], alarm[2])
			// The broker takes the first message of a connection still.
			sh(t, strings.Repeat("1\n", 600), "emit", "--timeout", "1s", "jobs-summary", "-").want(t, 1, "", reason)
			for _, args := range [][]string{{"emit", "--timeout", "1s", "jobs-summary", "1"}, {"disconnect", "--timeout", "1s", "7"}} {
				if got := sh(t, "", args...); got.status != 0 && got.status != 1 {
					t.Errorf("belfry %v: %+v", args, got)
				}
			}
			got := sh(t, "", "check")
			got.want(t, 1, "WRONG  broker: the broker blocks publishers: "+reason, "something is wrong")
			if strings.Count(got.out, "blocks publishers") != 1 || strings.Contains(got.out, "WRONG  permissions") {
				t.Errorf("it is told as something else, or twice:\n%s", got.out)
			}
			sh(t, "", "check", "--role", "backend").want(t, 1, "WRONG  broker: the broker blocks publishers: "+reason, "")
		})
	}
}

// TestSignalEndsCommandDuringAlarm: the first one.
func TestSignalEndsCommandDuringAlarm(t *testing.T) {
	alone(t)
	configured(t, "guest")
	withBus(t, 1)
	alarmed(t, "set_vm_memory_high_watermark", "0.00001", "0.4")
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	said := newScreen()
	go func() {
		ended <- run(ctx, []string{"belfry", "emit", "--timeout", "10m", "jobs-summary", "-"}, in, said, said)
	}()
	for range 2 { // the second one finds the alarm
		if _, err := out.WriteString("1\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case status := <-ended:
		if status != statusInterrupted && status != 0 { // both may have been taken
			text, _ := said.look()
			t.Errorf("it ended with %d: %s", status, text)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
}

// TestCommandsBesideASilentBroker: one that takes connections and says nothing.
func TestCommandsBesideASilentBroker(t *testing.T) {
	n := alone(t).Node
	configured(t, "guest")
	n.Pause()
	defer n.Resume()
	sh(t, "", "emit", "--timeout", "1s", "jobs-summary", "1").want(t, 1, "", "not confirmed in time")
	sh(t, "", "disconnect", "--timeout", "1s", "7").want(t, 1, "", "not confirmed in time")
	sh(t, "", "check").want(t, 1, "WRONG  broker: ", "something is wrong")
}
