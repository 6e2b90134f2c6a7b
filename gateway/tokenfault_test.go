package gateway

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every reason has a token that is refused for it, on the short way and on that of the general decoder, and each is counted once
// for a press and once for a look-up.
func TestTokenRefusalsByReason(t *testing.T) {
	soon := noon.Add(time.Hour).Unix()
	claims := func(more string) string {
		return fmt.Sprintf(`{"sub":"ann","exp":%d,"iss":"shop","aud":"sale"%s}`, soon, more)
	}
	refused := map[tokenFault][]string{
		tokenMissing:     {""},
		tokenMalformed:   {"x.y", sign(secret, `{"sub":"ann","iss":"shop","aud":"sale"}`), sign(secret, `{"sub":"ann",`)},
		tokenAlgorithm:   {signAs(secret, `{"alg":"none"}`, claims("")), signAs(secret, `{"alg":"RS256"}`, claims(""))},
		tokenSignature:   {sign([]byte("00000000000000000000000000000000"), claims(""))},
		tokenIssuer:      {sign(secret, fmt.Sprintf(`{"sub":"ann","exp":%d,"aud":"sale"}`, soon))},
		tokenAudience:    {sign(secret, fmt.Sprintf(`{"sub":"ann","exp":%d,"iss":"shop","aud":["a","b"]}`, soon))},
		tokenSubject:     {sign(secret, fmt.Sprintf(`{"exp":%d,"iss":"shop","aud":"sale","n":[1]}`, soon))},
		tokenExpired:     {sign(secret, fmt.Sprintf(`{"sub":"ann","exp":%d,"iss":"shop","aud":"sale"}`, noon.Unix()-60))},
		tokenNotYetValid: {sign(secret, claims(fmt.Sprintf(`,"nbf":%d`, noon.Unix()+60)))},
		tokenLifetime: {sign(secret, fmt.Sprintf(`{"sub":"ann","exp":%d,"iss":"shop","aud":"sale"}`,
			noon.Add(48*time.Hour).Unix()))},
	}
	require.Len(t, refused, int(tokenFaults)-1, "every reason")
	s := newScene(t, func(o *Options, _ *Deps) { o.Issuer, o.Audience = "shop", "sale" }).open(autumn())
	good := "Authorization: Bearer " + sign(secret, claims(""))
	require.Equal(t, http.StatusAccepted, s.send(http.MethodPost, phoneOrders, "", good).status)
	for fault := tokenMissing; fault < tokenFaults; fault++ {
		require.Zero(t, s.metric("flashsale_token_refusals_total", "reason", fault.String()), "counted from the start")
		for i, token := range refused[fault] {
			header := "Authorization: Bearer " + token
			require.Equal(t, http.StatusUnauthorized, s.send(http.MethodPost, phoneOrders, "", header).status, token)
			require.Equal(t, http.StatusUnauthorized, s.send(http.MethodGet, autumnOrders, "", header).status, token)
			require.Equal(t, float64(2*(i+1)), s.metric("flashsale_token_refusals_total", "reason", fault.String()),
				"%s: %s", fault, token)
		}
	}
}
