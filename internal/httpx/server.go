package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Limits bound what a connection may cost. A zero field means its default, a negative one no limit.
type Limits struct {
	ReadHeader time.Duration // 5 seconds: a slow sender of headers holds a connection no longer (class 44a)
	Read       time.Duration // 30 seconds for headers and body
	Write      time.Duration // 60 seconds from the end of the headers to the end of the answer
	Idle       time.Duration // 2 minutes between requests

	// Quick, if it is above zero, bounds a request from its first octet to its answer, in place of the first
	// three; then the listener must be one of [Watch].
	Quick time.Duration
}

const defaultIdle = 2 * time.Minute

// pick is d, or otherwise if d is zero, or no limit if it is negative.
func pick(d, otherwise time.Duration) time.Duration {
	switch {
	case d == 0:
		return otherwise
	case d < 0:
		return 0
	default:
		return d
	}
}

// maxHeaders is what the request line and all fields may take. net/http adds 4 KiB to what it is told.
const maxHeaders = 32 << 10

// NewServer makes a server that is not yet listening. Protocol errors of peers go to log as warnings.
// OPTIONS * reaches the handler like everything else, so that nothing is answered without it.
func NewServer(handler http.Handler, limits Limits, log *slog.Logger) *http.Server {
	if limits.Quick > 0 {
		limits = Limits{ReadHeader: -1, Read: -1, Write: -1, Idle: -1}
	}
	return &http.Server{
		Handler:                      handler,
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            pick(limits.ReadHeader, 5*time.Second),
		ReadTimeout:                  pick(limits.Read, 30*time.Second),
		WriteTimeout:                 pick(limits.Write, time.Minute),
		IdleTimeout:                  pick(limits.Idle, defaultIdle),
		MaxHeaderBytes:               maxHeaders - 4<<10,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// Serve answers on the listener until ctx ends, over TLS if the server has a configuration of it. Then it takes no new connection, gives the requests
// under way up to grace to finish, and cuts off the rest. It returns nil after a stop that was asked
// for, also when it had to cut something off.
func Serve(ctx context.Context, server *http.Server, listener net.Listener, grace time.Duration) error {
	ended := make(chan error, 1)
	go func() {
		if server.TLSConfig != nil {
			ended <- server.ServeTLS(listener, "", "")
			return
		}
		ended <- server.Serve(listener)
	}()
	select {
	case err := <-ended:
		return fmt.Errorf("serving on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := server.Shutdown(patience)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	if err != nil {
		return fmt.Errorf("stopping the server on %s: %w", listener.Addr(), err)
	}
	return nil
}
