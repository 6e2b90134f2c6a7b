package buyers

import "flashsale/test/stack"

// Of returns the buyers' way to a deployment of the suites, through all gateways that it has now.
func Of(s *stack.Stack) *Deployment {
	d := &Deployment{Secret: stack.Secret, Shop: stack.ShopToken, Operator: stack.AdminToken}
	for _, p := range s.Gateways {
		d.Add(p)
	}
	return d
}

// Add adds a gateway that the deployment got later. Nobody may be asking meanwhile.
func (d *Deployment) Add(p *stack.Process) {
	d.Gateways = append(d.Gateways, Gateway{Buyers: p.Buyers, Operators: p.Operators})
}
