package source

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// ownClient speaks git's fetch protocol as far as is needed to ask for objects: version 2 (gitprotocol-v2(5)) where the
// server offers it, else version 0 or 1 (gitprotocol-pack(5)), as a plain ssh server does that passes no environment on.
// Every exchange stands for itself, over ssh too: it begins with the server's greeting.
type ownClient struct {
	wire wire
	v2   bool
}

// wire carries exchanges.
type wire interface {
	// greeting opens a conversation and returns what the server says first.
	greeting(ctx context.Context) (io.ReadCloser, error)
	// ask sends a request and returns the answer to it.
	ask(ctx context.Context, request string) (io.ReadCloser, error)
}

const agentLine = "agent=glassbuild"

// sideBands are what version 0 is asked for; a server that offers none of them is not spoken to.
const sideBands = "side-band-64k"

// advertised reads the greeting, which in versions 0 and 1 is the list of refs.
func (c *ownClient) advertised(ctx context.Context, s *server) error {
	r, err := c.wire.greeting(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	p := newPktReader(r, maxAdvertisement)
	first, kind, err := firstLine(p)
	if err != nil {
		return err
	}
	if kind == dataPacket && first == "version 2" {
		c.v2 = true
		if err := c.abilities(p, s); err != nil {
			return err
		}
		return c.listRefs(ctx, s)
	}
	if kind == dataPacket && first == "version 1" {
		if first, kind, err = p.line(); err != nil {
			return err
		}
	}
	return c.oldRefs(p, s, first, kind)
}

// firstLine skips what a server over http says about its service.
func firstLine(p *pktReader) (string, packet, error) {
	line, kind, err := p.line()
	if err != nil || kind != dataPacket || !strings.HasPrefix(line, "# service=") {
		return line, kind, err
	}
	if _, kind, err = p.line(); err == nil && kind != flushPacket {
		err = errProtocol
	}
	if err != nil {
		return "", 0, err
	}
	return p.line()
}

// wrongFormat tells of a server that names its objects otherwise than the commit that is asked for.
func wrongFormat(offered string, want gitobj.Format) error {
	if offered == "" {
		offered = gitobj.SHA1.String() // the default of every version
	}
	if offered == want.String() {
		return nil
	}
	if offered != gitobj.SHA1.String() {
		return errProtocol
	}
	return errSHA1
}

// abilities reads the lines of a greeting of version 2.
func (c *ownClient) abilities(p *pktReader, s *server) error {
	format := ""
	for {
		line, kind, err := p.line()
		if err != nil {
			return err
		}
		if kind != dataPacket {
			break
		}
		name, value, _ := strings.Cut(line, "=")
		switch name {
		case "object-format":
			format = value
		case "fetch":
			offered := strings.Fields(value)
			s.can.shallow, s.can.filter = slices.Contains(offered, "shallow"), slices.Contains(offered, "filter")
		}
	}
	s.can.byID = true // this version knows no other way to ask
	return wrongFormat(format, s.format)
}

// listRefs asks for branches and tags in version 2.
func (c *ownClient) listRefs(ctx context.Context, s *server) error {
	r, err := c.wire.ask(ctx, c.command("ls-refs", s.format)+packetLine("peel\n")+packetLine("ref-prefix refs/heads/\n")+
		packetLine("ref-prefix refs/tags/\n")+flushLine)
	if err != nil {
		return err
	}
	defer r.Close()
	p := newPktReader(r, maxAdvertisement)
	for n := 0; ; n++ {
		line, kind, err := p.line()
		if err != nil {
			return err
		}
		if kind == flushPacket {
			return nil
		}
		if n == maxRefs {
			return s.tooManyRefs()
		}
		words := strings.Split(line, " ")
		id, ok := gitobj.ParseID(words[0])
		if kind != dataPacket || !ok || id.Format() != s.format || len(words) < 2 {
			return errProtocol
		}
		if err := s.take(words[1], id); err != nil {
			return err
		}
		for _, attribute := range words[2:] {
			if text, is := strings.CutPrefix(attribute, "peeled:"); is {
				if id, ok := gitobj.ParseID(text); ok && id.Format() == s.format {
					s.peeled[words[1]] = id
				}
			}
		}
	}
}

func (c *ownClient) command(name string, format gitobj.Format) string {
	return packetLine("command="+name+"\n") + packetLine(agentLine+"\n") + packetLine("object-format="+format.String()+"\n") + delimiterLine
}

// oldRefs reads a list of refs as versions 0 and 1 send it; the abilities stand behind the first.
func (c *ownClient) oldRefs(p *pktReader, s *server, line string, kind packet) error {
	for n := 0; kind == dataPacket; n++ {
		if n == maxRefs {
			return s.tooManyRefs()
		}
		if n == 0 {
			before, offered, ok := strings.Cut(line, "\x00")
			if !ok {
				return errProtocol
			}
			if err := c.oldAbilities(s, strings.Fields(offered)); err != nil {
				return err
			}
			line = before
		}
		if err := s.takeOld(line); err != nil {
			return err
		}
		var err error
		if line, kind, err = p.line(); err != nil {
			return err
		}
	}
	if kind != flushPacket {
		return errProtocol
	}
	return nil
}

func (c *ownClient) oldAbilities(s *server, offered []string) error {
	format := ""
	for _, word := range offered {
		if value, is := strings.CutPrefix(word, "object-format="); is {
			format = value
		}
	}
	if err := wrongFormat(format, s.format); err != nil {
		return err
	}
	if !slices.Contains(offered, sideBands) {
		return fmt.Errorf("%w: no %s", errProtocol, sideBands)
	}
	s.can = abilities{byID: slices.Contains(offered, "allow-reachable-sha1-in-want"), shallow: slices.Contains(offered, "shallow"),
		filter: slices.Contains(offered, "filter")}
	return nil
}

// takeOld reads one line of such a list: a ref, what a tag points to, or where the history ends.
func (s *server) takeOld(line string) error {
	if text, is := strings.CutPrefix(line, "shallow "); is {
		id, ok := gitobj.ParseID(text)
		if !ok || id.Format() != s.format {
			return errProtocol
		}
		s.cuts = append(s.cuts, id)
		return nil
	}
	text, name, ok := strings.Cut(line, " ")
	id, isID := gitobj.ParseID(text)
	switch {
	case !ok || !isID || id.Format() != s.format:
		return errProtocol
	case name == "HEAD" || name == "capabilities^{}": // the latter stands for an empty repository
		return nil
	}
	if tag, is := strings.CutSuffix(name, "^{}"); is {
		s.peeled[tag] = id
		return nil
	}
	return s.take(name, id)
}

// pack asks for objects and returns the pack without its wrapping.
func (c *ownClient) pack(ctx context.Context, s *server, r request) (io.ReadCloser, error) {
	request := c.oldRequest(s, r)
	if c.v2 {
		request = c.request(s, r)
	}
	answer, err := c.wire.ask(ctx, request)
	if err != nil {
		return nil, err
	}
	p := newPktReader(answer, maxPackBytes+maxAdvertisement)
	if c.v2 {
		err = skipToPack(p)
	} else {
		err = skipAcknowledgements(p, r.depth > 0)
	}
	if err != nil {
		answer.Close()
		return nil, err
	}
	return &bands{packets: p, closer: answer}, nil
}

func (c *ownClient) request(s *server, r request) string {
	var b strings.Builder
	b.WriteString(c.command("fetch", s.format) + packetLine("no-progress\n") + packetLine("ofs-delta\n"))
	for _, id := range r.wants {
		b.WriteString(packetLine("want " + id.String() + "\n"))
	}
	for _, id := range r.haves {
		b.WriteString(packetLine("have " + id.String() + "\n"))
	}
	if r.depth > 0 {
		b.WriteString(packetLine(fmt.Sprintf("deepen %d\n", r.depth)))
	}
	if r.filter != "" {
		b.WriteString(packetLine("filter " + r.filter + "\n"))
	}
	return b.String() + packetLine("done\n") + flushLine
}

// skipToPack reads the sections of an answer of version 2 that come before the pack: where it was cut off is known.
func skipToPack(p *pktReader) error {
	for {
		line, kind, err := p.line()
		switch {
		case err != nil:
			return err
		case kind == flushPacket:
			return errProtocol
		case kind == dataPacket && line == "packfile":
			return nil
		}
	}
}

func (c *ownClient) oldRequest(s *server, r request) string {
	var b strings.Builder
	abilities := " " + sideBands + " ofs-delta object-format=" + s.format.String() + " " + agentLine
	if r.filter != "" {
		abilities += " filter"
	}
	for _, id := range r.wants {
		b.WriteString(packetLine("want " + id.String() + abilities + "\n"))
		abilities = ""
	}
	if r.depth > 0 {
		b.WriteString(packetLine(fmt.Sprintf("deepen %d\n", r.depth)))
	}
	if r.filter != "" {
		b.WriteString(packetLine("filter " + r.filter + "\n"))
	}
	b.WriteString(flushLine)
	for _, id := range r.haves {
		b.WriteString(packetLine("have " + id.String() + "\n"))
	}
	return b.String() + packetLine("done\n")
}

// skipAcknowledgements reads what comes before a pack in versions 0 and 1: where the history was cut, if a depth was
// asked for, and whether the server knows what we have. It says so once, since nothing else was asked of it.
func skipAcknowledgements(p *pktReader, cut bool) error {
	for {
		line, kind, err := p.line()
		switch {
		case err != nil:
			return err
		case kind == flushPacket && cut:
			cut = false
		case kind == dataPacket && cut && (strings.HasPrefix(line, "shallow ") || strings.HasPrefix(line, "unshallow ")):
		case kind == dataPacket && !cut && (line == "NAK" || strings.HasPrefix(line, "ACK ")):
			return nil
		default:
			return errProtocol
		}
	}
}
