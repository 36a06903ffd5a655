// Package peers has what the grpc-go server and client share.
package peers

import (
	"context"

	"google.golang.org/grpc/stats"
)

// Pattern is the payload of n bytes: byte i is i % 251.
func Pattern(n int) []byte {
	payload := make([]byte, n)
	for i := range payload {
		payload[i] = byte(i % 251)
	}
	return payload
}

// Sum adds up all bytes modulo 2^32.
func Sum(payload []byte) (sum uint32) {
	for _, b := range payload {
		sum += uint32(b)
	}
	return sum
}

// Compression counts the messages of one call that arrived compressed. grpc-go hides the flag from its
// users, but tells stats handlers the size on the wire.
type Compression struct{ Received uint32 }

type compressionKey struct{}

// CompressionOf returns the counter of the call that owns ctx.
func CompressionOf(ctx context.Context) *Compression {
	c, _ := ctx.Value(compressionKey{}).(*Compression)
	return c
}

// WithCompression makes a context whose call counts into c.
func WithCompression(ctx context.Context, c *Compression) context.Context {
	return context.WithValue(ctx, compressionKey{}, c)
}

// StatsHandler fills the counters, on both sides.
type StatsHandler struct{}

func (StatsHandler) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	if CompressionOf(ctx) != nil {
		return ctx
	}
	return WithCompression(ctx, &Compression{})
}

func (StatsHandler) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if in, ok := s.(*stats.InPayload); ok && in.CompressedLength != in.Length {
		CompressionOf(ctx).Received++
	}
}

func (StatsHandler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (StatsHandler) HandleConn(context.Context, stats.ConnStats)                       {}
