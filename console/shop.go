package console

import (
	"encoding/json"
	"net/http"
)

// Buyer is somebody who tries the shop page: a buyer id, and a token that the engine accepts for it.
type Buyer struct {
	ID    string `json:"buyer"`
	Token string `json:"token"`
}

// TokenPath is where the shop page asks for a buyer.
const TokenPath = "/shop/token"

// Shop returns the shop page of the dev command: the page at "/", which sells a sale, its files below Prefix, and a new buyer
// with a token for whoever asks at TokenPath. Because of that it is for trying only: a real shop signs the tokens of the buyers
// that have logged in to it.
func Shop(sale string, newBuyer func() (Buyer, error)) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", newSite("shop.html"))
	mux.HandleFunc("GET "+TokenPath, func(w http.ResponseWriter, _ *http.Request) {
		secure(w.Header())
		w.Header().Set("Cache-Control", "no-store")
		buyer, err := newBuyer()
		if err != nil {
			http.Error(w, "no token could be made", http.StatusInternalServerError)
			return
		}
		body, err := json.Marshal(struct {
			Sale string `json:"sale"`
			Buyer
		}{sale, buyer})
		if err != nil {
			http.Error(w, "no token could be written", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // the browser may be gone
	})
	return mux
}
