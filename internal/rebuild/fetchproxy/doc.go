// Package fetchproxy is the only way out of a sandbox that fetches: a plain-HTTP reverse proxy on the sandbox's own
// loopback, one per ecosystem, in front of the registries that the user has configured.
//
// What it promises:
//
//   - It proxies paths, not hosts: a request names a file of the ecosystem's protocol, in its one canonical form, and the
//     host side decides where it comes from. CONNECT, absolute-form requests, other methods than GET and HEAD, queries and
//     everything else outside the grammar are refused and recorded.
//   - Each path is fetched at most once. Its bytes go into the content store first, are hashed there, and are served from
//     there: what is recorded is what was handed out.
//   - What the proxy saw, never what the fetching step wrote, is frozen: Closure is the sorted list of paths, digests and
//     sizes, and has a digest of its own (F6). Parts of an answer that differ between mirrors of the same registry and that
//     no build needs are normalised first, so that another auditor's mirror gives the same closure.
//   - When a closure is replayed, only what it names is answered, only with those bytes.
//   - Bytes, requests, connections and time are bounded (limits.go), on both sides.
package fetchproxy
