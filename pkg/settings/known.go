package settings

import "slices"

// known is every variable that a Belfry program reads. A test in cmd/belfry,
// which alone sees all programs, compares it with their structs.
var known = []string{
	// All programs (Broker).
	"BELFRY_ADMIN_ALLOW_REMOTE",
	"BELFRY_AMQP_CA_FILE",
	"BELFRY_AMQP_CERT_FILE",
	"BELFRY_AMQP_INSECURE",
	"BELFRY_AMQP_KEY_FILE",
	"BELFRY_AMQP_URL",
	"BELFRY_GATEWAY_USERS",
	"BELFRY_LOG_FORMAT",
	"BELFRY_LOG_LEVEL",
	"BELFRY_NAME",
	"BELFRY_QUEUE_TYPE",
	"BELFRY_SHARDS",
	"BELFRY_WORKER_USERS",

	// Gateway, worker or both.
	"BELFRY_ADMIN_LISTEN",
	"BELFRY_ALLOWED_HOSTS",
	"BELFRY_ALLOWED_ORIGINS",
	"BELFRY_AUTHORIZE_URL",
	"BELFRY_LISTEN",
	"BELFRY_JWT_SECRET_FILE",
	"BELFRY_JWT_KEY_FILE",
	"BELFRY_POLICY_FILE",
	"BELFRY_TOKENS_FILE",
	"BELFRY_TRUSTED_PROXIES",

	// The command line and the emitters.
	"BELFRY_EMIT_EXPIRATION",
	"BELFRY_EMIT_PERSISTENT",
	"BELFRY_EMIT_SECRET",
	"BELFRY_TOKEN",
	"BELFRY_URL",
}

// Known returns every variable that a Belfry program reads, sorted.
func Known() []string {
	out := slices.Clone(known)
	slices.Sort(out)
	return out
}
