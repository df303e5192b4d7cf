package remote

import "time"

// What one exchange may cost. They hold for every connection that the program opens.
const (
	dialTimeout     = 20 * time.Second
	tlsTimeout      = 20 * time.Second
	headerTimeout   = 60 * time.Second
	totalTimeout    = 30 * time.Minute
	stallTimeout    = 60 * time.Second // no byte for so long ends a transfer (slow loris)
	maxRedirects    = 5
	maxAttempts     = 4
	firstBackoff    = 300 * time.Millisecond
	maxErrorText    = 300      // bytes of a server's error page that are quoted
	maxHeaderBytes  = 64 << 10 // response headers
	maxNetrc        = 1 << 20  // bytes
	maxRequestsKept = 100_000  // entries of the request record
)
