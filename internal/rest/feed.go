package rest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/token"
)

// The feed is no part of the management API that tokens open: whoever follows it holds every digest. It is
// not in the document, so that no scope of it can be ticked; node credentials open it, and nothing else
// does, and they open nothing else (SECURITY.md, class 36).
//
//	GET  /api/v1/feed/snapshot      the whole state at one position: lines of api.SnapshotLine
//	GET  /api/v1/feed?after=N       lines of api.Entry, for as long as it lasts; one without news every second
//	GET  /api/v1/feed/grants/{sid}  one api.Grant
//	POST /api/v1/feed/usage         an api.UsageBatch; the node is that of the credential
//	POST /api/v1/feed/confirm       an api.Confirmation
const (
	feedPath     = Base + "/feed"
	snapshotPath = feedPath + "/snapshot"
	usagePath    = feedPath + "/usage"
	confirmPath  = feedPath + "/confirm"
	grantsPath   = feedPath + "/grants/"
)

const (
	maxBatch   = 8 << 20          // octets of a usage batch
	feedStall  = 10 * time.Second // how long a follower may read nothing
	lineBuffer = 64 << 10
)

// Node is a verifier on another machine.
type Node struct {
	Name   string
	Digest token.Digest // of the secret in its credential
}

func isFeed(r *http.Request) bool {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return path == feedPath || strings.HasPrefix(path, feedPath+"/")
}

// feed answers a node.
func (s *server) feed(w http.ResponseWriter, r *http.Request) {
	node := s.nodeOf(r)
	if node == nil {
		w.Header().Set("WWW-Authenticate", `Bearer realm="feed"`)
		httpx.WriteError(w, r, &api.Error{
			Code: api.CodeInvalidToken, Status: http.StatusUnauthorized, Title: "A node credential is needed",
			Detail: "The feed is for verifiers that the operator has listed under nodes.",
		})
		return
	}
	feed := s.authority.Feed(node.Name)
	path, query, _ := strings.Cut(r.RequestURI, "?")
	act := r.Method + " " + path
	if path != feedPath && query != "" {
		act = ""
	}
	var err error
	switch act {
	case get + " " + snapshotPath:
		err = s.sendSnapshot(w, r, feed)
	case get + " " + feedPath:
		err = s.sendFeed(w, r, feed, query)
	case post + " " + usagePath:
		err = s.takeUsage(w, r, feed, node.Name)
	case post + " " + confirmPath:
		err = s.takeConfirmation(w, r, feed, node.Name)
	default:
		sid, ok := strings.CutPrefix(act, get+" "+grantsPath)
		if !ok {
			err = api.NotFound("operation")
			break
		}
		err = sendGrant(w, r, feed, sid)
	}
	if err != nil {
		httpx.WriteError(w, r, err)
	}
}

// nodeOf is who sent a request, or nil. It compares with every node, so that the time says nothing about
// which there are (SECURITY.md, class 27).
func (s *server) nodeOf(r *http.Request) *Node {
	values := r.Header["Authorization"]
	if len(values) != 1 {
		return nil
	}
	scheme, credential, _ := strings.Cut(values[0], " ")
	parsed, fault := s.authority.Prefix().Parse(credential)
	if !strings.EqualFold(scheme, "Bearer") || fault != token.NoFault || parsed.Kind != token.Node {
		return nil
	}
	digest := parsed.Digest()
	var found *Node
	for i := range s.nodes {
		if s.nodes[i].Digest.Equal(digest) {
			found = &s.nodes[i]
		}
	}
	return found
}

// lines writes newline-delimited JSON to a follower that must keep reading: the deadline moves with it.
type lines struct {
	control *http.ResponseController
	out     *bufio.Writer
	encoder *json.Encoder
	sent    int
}

// beginLines answers 200. The listener's own limits are for short answers, so they are lifted.
func beginLines(w http.ResponseWriter) (*lines, error) {
	l := &lines{control: http.NewResponseController(w)}
	if err := l.control.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("lifting the listener's limit: %w", err)
	}
	l.out = bufio.NewWriterSize(paced{w, l.control}, lineBuffer)
	l.encoder = json.NewEncoder(l.out)
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	return l, nil
}

// paced moves the deadline with every piece that is written.
type paced struct {
	w       io.Writer
	control *http.ResponseController
}

func (p paced) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(feedStall)); err != nil {
		return 0, fmt.Errorf("bounding the answer: %w", err)
	}
	return p.w.Write(b)
}

func (l *lines) send(line any) error {
	if err := l.encoder.Encode(line); err != nil {
		return fmt.Errorf("sending to a follower: %w", err)
	}
	l.sent++
	return nil
}

func (l *lines) flush() error {
	if err := l.out.Flush(); err != nil {
		return fmt.Errorf("sending to a follower: %w", err)
	}
	if err := l.control.Flush(); err != nil {
		return fmt.Errorf("sending to a follower: %w", err)
	}
	return nil
}

// sendSnapshot writes grants while it reads them, so that the machine never holds them all.
func (s *server) sendSnapshot(w http.ResponseWriter, r *http.Request, feed *authority.Feed) error {
	ctx, stop := s.untilEnding(r.Context())
	defer stop()
	var out *lines
	grants := 0
	err := feed.SnapshotTo(ctx, func(head *api.Snapshot) (err error) {
		if out, err = beginLines(w); err != nil {
			return err
		}
		return out.send(api.SnapshotLine{Head: head})
	}, func(g *api.Grant) error {
		grants++
		return out.send(api.SnapshotLine{Grant: g})
	})
	if err == nil {
		err = errors.Join(out.send(api.SnapshotLine{End: &api.SnapshotEnd{Grants: grants}}), out.flush())
	}
	return s.cutOff(r, out, err)
}

// sendFeed writes every entry after a position, each batch at once, and a line without news while nothing
// happens, so that the follower knows that it hears.
func (s *server) sendFeed(w http.ResponseWriter, r *http.Request, feed *authority.Feed, query string) error {
	number, ok := strings.CutPrefix(query, "after=")
	after, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || after < 0 || strconv.FormatInt(after, 10) != number {
		return api.Invalid("after", "must be a position: the last one that is known")
	}
	if err := within(r.Context(), feed, api.Seq(after)); err != nil {
		return err
	}
	ctx, stop := s.untilEnding(r.Context())
	defer stop()
	out, err := beginLines(w)
	if err != nil {
		return err
	}
	at := api.Seq(after)
	err = feed.Follow(ctx, at, func(entries []api.Entry) error {
		for i := range entries {
			if err := out.send(&entries[i]); err != nil {
				return err
			}
			at = entries[i].Seq
		}
		if len(entries) == 0 {
			if err := out.send(api.Entry{Seq: at, At: api.Micros(time.Now().UnixMicro())}); err != nil {
				return err
			}
		}
		return out.flush()
	})
	return s.cutOff(r, out, err)
}

// within refuses a position that this log has not reached: the follower must begin anew, and finds out that
// the database is older than what it knows.
func within(ctx context.Context, feed *authority.Feed, seq api.Seq) error {
	head, err := feed.Head(ctx)
	if err != nil {
		return err
	}
	if seq > head {
		return api.Conflict(fmt.Sprintf("The log ends at %d. A snapshot is needed.", head))
	}
	return nil
}

// untilEnding ends a long answer when the listener stops, so that stopping does not wait for it.
func (s *server) untilEnding(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	go func() {
		select {
		case <-s.ending:
			stop()
		case <-ctx.Done():
		}
	}()
	return ctx, stop
}

// cutOff ends an answer that broke. Before it began there is an error to answer with; afterwards the
// connection is cut, so that the follower does not take a part for the whole.
func (s *server) cutOff(r *http.Request, out *lines, err error) error {
	if err == nil || out == nil {
		return err
	}
	if !errors.Is(err, context.Canceled) {
		s.log.LogAttrs(r.Context(), slog.LevelWarn, "a follower was cut off", slog.String("request_id", httpx.RequestID(r.Context())), slog.String("error", err.Error()))
	}
	panic(http.ErrAbortHandler)
}

func sendGrant(w http.ResponseWriter, r *http.Request, feed *authority.Feed, sid string) error {
	if _, err := token.ParseSID(sid); err != nil {
		return api.NotFound("token")
	}
	grant, err := feed.Grant(r.Context(), sid)
	if err != nil {
		return err
	}
	if grant == nil {
		return api.NotFound("token")
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(grant); err != nil {
		return fmt.Errorf("sending a grant: %w", err)
	}
	return nil
}

func (s *server) takeUsage(w http.ResponseWriter, r *http.Request, feed *authority.Feed, node string) error {
	var batch api.UsageBatch
	if err := take(w, r, maxBatch, &batch); err != nil {
		return err
	}
	batch.Node = node // whatever it calls itself
	if err := feed.Report(r.Context(), &batch); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) takeConfirmation(w http.ResponseWriter, r *http.Request, feed *authority.Feed, node string) error {
	var confirmed api.Confirmation
	if err := take(w, r, maxBody, &confirmed); err != nil {
		return err
	}
	if err := within(r.Context(), feed, confirmed.Seq); err != nil {
		return err
	}
	if err := feed.Confirm(r.Context(), node, confirmed.Seq); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// take reads one JSON value. Members that it does not know are those of a newer verifier.
func take(w http.ResponseWriter, r *http.Request, most int64, into any) error {
	if err := httpx.CheckType(r, "application/json"); err != nil {
		return err
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		return fmt.Errorf("reading what a node sent: %w", err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return api.Invalid("body", "must be one JSON value of the kind that belongs here")
	}
	return nil
}
