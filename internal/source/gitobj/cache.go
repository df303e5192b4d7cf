package gitobj

import "sync"

// baseKey names a packed object by where it lies.
type baseKey struct {
	pack   *pack
	offset int64
}

// base is an object that deltas may be applied to. Its bytes are shared by all readers and never written again. They
// have not been hashed: only what is built from them is.
type base struct {
	kind Type
	data []byte
	used bool // asked for since the last sweep
}

// baseCache keeps recently used delta bases for all readers of a store. It evicts the oldest one that was not asked
// for since the last sweep.
type baseCache struct {
	mu    sync.Mutex
	held  map[baseKey]*base
	queue []baseKey
	bytes int
}

func newBaseCache() *baseCache { return &baseCache{held: make(map[baseKey]*base)} }

func (c *baseCache) get(k baseKey) (Type, []byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.held[k]
	if b == nil {
		return 0, nil, false
	}
	b.used = true
	return b.kind, b.data, true
}

// put hands data over to the cache.
func (c *baseCache) put(k baseKey, t Type, data []byte) {
	if len(data) > maxCachedBase {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[k] != nil {
		return
	}
	c.held[k] = &base{kind: t, data: data}
	c.queue = append(c.queue, k)
	c.bytes += cap(data)
	for c.bytes > maxBaseCache && len(c.queue) > 0 {
		oldest := c.queue[0]
		c.queue = c.queue[1:]
		b := c.held[oldest]
		if b.used {
			b.used = false
			c.queue = append(c.queue, oldest)
			continue
		}
		delete(c.held, oldest)
		c.bytes -= cap(b.data)
	}
}
