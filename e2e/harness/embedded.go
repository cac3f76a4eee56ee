package harness

import (
	"path/filepath"
	"slices"
	"time"
)

// emitSecret is the secret for emitting to the embedded mode.
const emitSecret = "e2e-emit-secret"

// startEmbedded runs `belfry dev` with the installation's tokens and policy.
func (in *Installation) startEmbedded(t T) {
	t.Helper()
	p := &Process{
		Name: "dev", Addr: FreeAddr(t), Admin: FreeAddr(t), bin: Binary(t, "belfry"), args: []string{"dev"},
		log: filepath.Join(in.dir, "dev.log"),
	}
	p.env = slices.Concat([]string{
		"BELFRY_LISTEN=" + p.Addr, "BELFRY_ADMIN_LISTEN=" + p.Admin, "BELFRY_EMIT_SECRET=" + emitSecret,
	}, in.shape.Env, in.shape.GatewayEnv)
	in.Gateways = []*Process{p}
	p.start(t)
	in.WaitReady(t, 20*time.Second)
}

// Unlimited lifts a gateway's limits of rate and number for a test that is many
// clients from one address.
func Unlimited() []string {
	return []string{"BELFRY_MESSAGE_RATE=100000", "BELFRY_MAX_PER_USER=50000", "BELFRY_MAX_PER_ADDRESS=50000"}
}
