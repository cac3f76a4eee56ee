package amqpbus

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// TestKeepOpensAgain: until the bus is closed, and it says why each time.
func TestKeepOpensAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened, told := 0, 0
		Keep(t.Context(), 0, func(context.Context) error {
			if opened++; opened == 4 {
				return errors.Join(errors.New("ended"), ErrClosed)
			}
			return ErrLinkLost
		}, func(err error) {
			if told++; !errors.Is(err, ErrLinkLost) {
				t.Errorf("told %v", err)
			}
		})
		if opened != 4 || told != 3 {
			t.Fatalf("opened %d times, told %d times", opened, told)
		}
	})
}

// TestKeepEndsWithItsContext: an end because of that is nobody's loss.
func TestKeepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	Keep(ctx, 0, func(context.Context) error {
		cancel()
		return ctx.Err()
	}, func(err error) { t.Errorf("told %v", err) })
}
