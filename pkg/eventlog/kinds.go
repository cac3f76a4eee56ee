package eventlog

// The AMQP types of the messages.
const (
	TypeClaim    = "log.claim"
	TypeBatch    = "log.batch"
	TypeReset    = "log.reset"
	TypeNeed     = "log.need"
	TypeFilled   = "log.filled"
	TypeStale    = "log.stale"
	TypeHello    = "log.hello"
	TypeSnapshot = "log.snapshot"
	TypeChange   = "log.change"
	TypeLife     = "log.life"
	TypeWho      = "log.who"
	TypeBye      = "log.bye"
	TypeFill     = "log.fill"
)

// kindOf is how messages of one type are encoded and decoded.
type kindOf struct {
	name  string
	open  func(message any) fields    // nil: it is of another type
	blank func() (fields, func() any) // an empty message, and how its value is taken
}

// kinds lists all messages, the most frequent first.
var kinds = []kindOf{
	of[Batch](TypeBatch), of[Life](TypeLife), of[Change](TypeChange), of[Snapshot](TypeSnapshot), of[Hello](TypeHello),
	of[Claim](TypeClaim), of[Reset](TypeReset), of[Need](TypeNeed), of[Fill](TypeFill), of[Filled](TypeFilled),
	of[Stale](TypeStale), of[Who](TypeWho), of[Bye](TypeBye),
}

func of[T any, P interface {
	*T
	fields
}](name string) kindOf {
	return kindOf{
		name: name,
		open: func(message any) fields {
			if m, yes := message.(T); yes {
				return P(&m)
			}
			return nil
		},
		blank: func() (fields, func() any) {
			m := new(T)
			return P(m), func() any { return *m }
		},
	}
}

// OfGateway reports whether a message is one that gateways send to workers, which
// gateway it names, and which log it is about: 0 for Bye, which is about all.
func OfGateway(message any) (log int, gateway string, yes bool) {
	switch m := message.(type) {
	case Stale:
		return m.Log, m.Gateway, true
	case Hello:
		return m.Log, m.Gateway, true
	case Snapshot:
		return m.Log, m.Gateway, true
	case Change:
		return m.Log, m.Gateway, true
	case Life:
		return m.Log, m.Gateway, true
	case Who:
		return m.Log, m.Gateway, true
	case Fill:
		return m.Log, m.Gateway, true
	case Bye:
		return 0, m.Gateway, true
	}
	return 0, "", false
}
