package tree

const (
	maxNodes      = 10_000    // nodes listed below one node
	maxShown      = 10        // nodes below one node that a text shows
	maxTextDepth  = 8         // levels of nodes that a text shows
	MinReport     = 1 << 10   // bytes of the smallest report that can be asked for
	DefaultReport = 16 << 10  // bytes of a text where nobody says otherwise
	MaxReport     = 256 << 20 // and of the largest
)
