package verify

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"counterfoil.dev/counterfoil/api"
)

// Errors of an answer that does not come as it should.
var (
	errSilence = errors.New("nothing was heard for too long")
	errLine    = errors.New("a line does not end")
	errCut     = errors.New("the answer was cut off")
)

// lineReader reads newline-delimited JSON, and ends the answer when nothing comes for too long.
type lineReader struct {
	in     *bufio.Reader
	silent *time.Timer
	long   []byte // a line that is longer than in's buffer
	octets int64
}

func newLineReader(body io.Reader, stop context.CancelCauseFunc) *lineReader {
	r := &lineReader{silent: time.AfterFunc(remoteSilence, func() { stop(errSilence) })}
	r.in = bufio.NewReaderSize(heard{body, r.silent}, 64<<10)
	return r
}

func (r *lineReader) close() { r.silent.Stop() }

// heard puts the end off with everything that comes.
type heard struct {
	io.Reader
	silent *time.Timer
}

func (h heard) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if n > 0 {
		h.silent.Reset(remoteSilence)
	}
	return n, err
}

// next is the next line, valid until the one after it is read.
func (r *lineReader) next() ([]byte, error) {
	r.long = r.long[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		r.octets += int64(len(part))
		switch {
		case err == nil && len(r.long) == 0:
			return part, nil
		case err == nil:
			r.long = append(r.long, part...)
			return r.long, nil
		case errors.Is(err, bufio.ErrBufferFull):
			if len(r.long)+len(part) > remoteLine {
				return nil, errLine
			}
			r.long = append(r.long, part...)
		case errors.Is(err, io.EOF):
			return nil, errCut
		default:
			return nil, err
		}
	}
}

// entries waits for a line, and takes what has come with it. A line that is not beyond what is known says
// only that the authority is alive.
func (r *lineReader) entries(after api.Seq) ([]api.Entry, error) {
	var entries []api.Entry
	for first := true; first || r.more() && len(entries) < remoteBatch; first = false {
		text, err := r.next()
		if err != nil {
			return nil, err
		}
		var e api.Entry
		if err := json.Unmarshal(text, &e); err != nil {
			return nil, fmt.Errorf("reading an entry: %w", err)
		}
		if e.Seq > after || e.Seq == after && len(e.Quotas) > 0 { // quotas repeat the position
			entries = append(entries, e)
			after = e.Seq
		}
	}
	return entries, nil
}

// more says whether a whole line lies in the buffer already.
func (r *lineReader) more() bool {
	buffered, err := r.in.Peek(r.in.Buffered())
	return err == nil && bytes.IndexByte(buffered, '\n') >= 0
}

// broke says why an answer ended: its own error is that of the context when silence ended it.
func broke(ctx context.Context, doing string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("%s: %w", doing, err)
}
