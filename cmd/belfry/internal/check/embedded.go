package check

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"belfry/pkg/settings"
)

// embeddedHost returns the host and port of `belfry dev`, if events go there.
func embeddedHost(b settings.Broker) (host string, embedded bool) {
	u, err := url.Parse(b.AmqpURL.Reveal())
	if err != nil || u.Scheme != "embedded" {
		return "", false
	}
	return u.Host, true
}

// checkDev asks a `belfry dev` whether it is ready.
func checkDev(ctx context.Context, r *report, host string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/health/ready", nil)
	if err != nil {
		r.bad("belfry dev", err)
		return
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.bad("belfry dev", fmt.Errorf("%w; start it, or set BELFRY_AMQP_URL to a broker", err))
		return
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if response.StatusCode != http.StatusOK {
		r.bad("belfry dev", fmt.Errorf("not ready: HTTP %d %s", response.StatusCode, text))
		return
	}
	r.good("belfry dev on %s is ready; it has no broker", host)
}
