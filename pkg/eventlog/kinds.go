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

// open finds a message's type and fields; nil: it is no message.
func open(message any) (kind string, m fields) {
	switch m := message.(type) {
	case Claim:
		return TypeClaim, &m
	case Batch:
		return TypeBatch, &m
	case Reset:
		return TypeReset, &m
	case Need:
		return TypeNeed, &m
	case Filled:
		return TypeFilled, &m
	case Stale:
		return TypeStale, &m
	case Hello:
		return TypeHello, &m
	case Snapshot:
		return TypeSnapshot, &m
	case Change:
		return TypeChange, &m
	case Life:
		return TypeLife, &m
	case Who:
		return TypeWho, &m
	case Bye:
		return TypeBye, &m
	case Fill:
		return TypeFill, &m
	}
	return "", nil
}

// blank is an empty message of a type, and how its value is taken; nil: there is no
// such type.
func blank(kind string) (m fields, value func() any) {
	switch kind {
	case TypeClaim:
		return empty[Claim]()
	case TypeBatch:
		return empty[Batch]()
	case TypeReset:
		return empty[Reset]()
	case TypeNeed:
		return empty[Need]()
	case TypeFilled:
		return empty[Filled]()
	case TypeStale:
		return empty[Stale]()
	case TypeHello:
		return empty[Hello]()
	case TypeSnapshot:
		return empty[Snapshot]()
	case TypeChange:
		return empty[Change]()
	case TypeLife:
		return empty[Life]()
	case TypeWho:
		return empty[Who]()
	case TypeBye:
		return empty[Bye]()
	case TypeFill:
		return empty[Fill]()
	}
	return nil, nil
}

func empty[T any, P interface {
	*T
	fields
}]() (fields, func() any) {
	m := new(T)
	return P(m), func() any { return *m }
}
