package gateway

import (
	"context"
	"log/slog"
	"time"
)

// maxLogged bounds what the client wrote in the log.
const maxLogged = 512

// log writes the one line of the exchange: what was asked for, by whom, what was decided and what became
// of it. Never the query, nor a credential (SECURITY.md, class 43). The path is there only once it had one
// spelling; the encoder of the log escapes the rest (class 38e).
func (x *exchange) log() {
	d := &x.decision
	attrs := []slog.Attr{
		slog.String("request_id", x.request.ID),
		slog.String("method", cut(x.in.Method)),
		slog.String("path", cut(d.Path())),
		slog.Int("status", x.out.status),
		slog.Int64("octets", x.out.octets),
		slog.Duration("took", time.Since(x.began)),
	}
	if x.request.Client.IsValid() {
		attrs = append(attrs, slog.String("client", x.request.Client.String()))
	}
	if d.Code != "" {
		attrs = append(attrs, slog.String("code", string(d.Code)))
	}
	if d.Known {
		attrs = append(attrs, slog.Int64("account", d.Account), slog.String("sid", d.SID))
	}
	if d.API != "" {
		attrs = append(attrs, slog.String("api", d.API), slog.String("version", d.Version))
	}
	level := slog.LevelInfo
	if x.failure != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("error", x.failure.Error()))
	}
	x.gateway.log.LogAttrs(context.WithoutCancel(x.in.Context()), level, "request", attrs...)
}

func cut(s string) string {
	if len(s) > maxLogged {
		return s[:maxLogged]
	}
	return s
}
