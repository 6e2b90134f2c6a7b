package buyers

import (
	"context"
	"math/rand/v2"
	"time"

	"flashsale/test/buyers/history"
)

// operate pauses the first sale for a moment now and then, and resumes it until that is answered.
func (c *Crowd) operate(ctx context.Context, random *rand.Rand) {
	with := c.NewClient()
	defer with.Close()
	for {
		pause(ctx, 5*time.Second+time.Duration(random.Int64N(int64(6*time.Second))))
		if ctx.Err() != nil {
			return
		}
		c.Ask(with, history.Question{Verb: history.Pause, Sale: c.Targets[0].Sale, Gateway: random.IntN(len(c.Gateways))})
		pause(ctx, 200*time.Millisecond+time.Duration(random.Int64N(int64(800*time.Millisecond))))
		c.Resume(with, random)
	}
}

// resumeWithin bounds the repetitions of Resume.
const resumeWithin = 2 * time.Minute

// Resume resumes the first sale until a gateway answers that it did or that the sale is not paused; the end of the crowd
// does not end it.
func (c *Crowd) Resume(with *Client, random *rand.Rand) {
	deadline := time.Now().Add(resumeWithin)
	for {
		op := c.Ask(with, history.Question{Verb: history.Resume, Sale: c.Targets[0].Sale, Gateway: random.IntN(len(c.Gateways))})
		if op.End == history.OK || op.Code == "wrong_state" || time.Now().After(deadline) {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
}
