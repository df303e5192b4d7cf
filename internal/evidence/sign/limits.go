package sign

import "time"

// What signing may cost, enforced before parsing.
const (
	// MaxKeyFile bounds a key file.
	MaxKeyFile = 64 << 10
	// MaxConfig bounds a signing config.
	MaxConfig = 1 << 20
	// MaxToken bounds an identity token.
	MaxToken = 64 << 10
	// MaxAnswer bounds what a log, authority or token service answers.
	MaxAnswer = 4 << 20
	// attempts is how often one service is asked before signing gives up.
	attempts = 4
	// firstWait is how long the first pause is; each later one is about twice as long.
	firstWait = 500 * time.Millisecond
	// callTimeout bounds one question to one service.
	callTimeout = 60 * time.Second
)
