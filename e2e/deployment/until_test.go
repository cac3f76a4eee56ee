package deployment

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"belfry/e2e/harness"
)

// until tries something until it works.
func until(t *testing.T, what string, within time.Duration, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Within(within))
	defer cancel()
	if err := harness.Await(ctx, what, try); err != nil {
		t.Fatal(err)
	}
}

func answers(client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 500))
		return fmt.Errorf("HTTP %d %s", response.StatusCode, text)
	}
	return nil
}
