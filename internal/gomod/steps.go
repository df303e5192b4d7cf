package gomod

// The environments of steps that run the go command. They are laid over the recipe's own and win.

// FetchEnv is for a step that fetches: proxyURL is where the sandbox finds the Go proxy, such as "http://127.0.0.1:8080/go". The
// go command checks every sum itself, through the proxy, as the user's configuration says.
func (e Env) FetchEnv(proxyURL string) map[string]string {
	env := common()
	env["GOPROXY"] = proxyURL
	// Nothing in the sandbox can reach a private module's server; whether a module is private decides only whether
	// the checksum database is asked about it.
	env["GONOPROXY"] = "none"
	env["GOPRIVATE"] = ""
	env["GONOSUMDB"] = e.GONOSUMDB
	env["GOSUMDB"] = "off"
	if db, err := e.Database(); err == nil && db.Name != "" {
		env["GOSUMDB"] = db.Key // without its URL: the database is reached through the proxy
	}
	env["GOVCS"] = "*:off"
	return env
}

// KitEnv is FetchEnv for a step whose answers are kept for a kit, or come from one. Which pieces of the checksum database the go command
// asks for depends on which answer comes first: it does not ask there, and everything is checked outside as ever.
func (e Env) KitEnv(proxyURL string) map[string]string {
	env := e.FetchEnv(proxyURL)
	env["GOSUMDB"] = "off"
	return env
}

// BuildEnv is for a step that builds without network: dir is where the sandbox finds what was fetched, laid out as a
// file proxy; "" when nothing was.
func BuildEnv(dir string) map[string]string {
	env := common()
	env["GOPROXY"] = "off"
	if dir != "" {
		env["GOPROXY"] = "file://" + dir
	}
	env["GONOPROXY"] = "none"
	env["GOPRIVATE"] = ""
	env["GONOSUMDB"] = ""
	env["GOSUMDB"] = "off" // checked outside; go.sum still holds
	env["GOVCS"] = "*:off"
	return env
}

// common is what every step gets: no other toolchain, no reports, no file of settings, no flags but the recipe's own. -mod=mod is
// never set: it writes a missing go.sum from whatever the proxy serves.
func common() map[string]string {
	return map[string]string{
		"GOTOOLCHAIN": "local",
		"GOTELEMETRY": "off",
		"GOENV":       "off",
		"GOINSECURE":  "",
		"GOAUTH":      "off",
	}
}
