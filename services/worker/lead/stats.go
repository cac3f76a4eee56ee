package lead

// Stats say how leading goes; all are 0 while another worker leads.
type Stats struct {
	Gateways int   // that are served
	Behind   int   // of these, those that the main reader does not carry
	Lag      int64 // offsets that the main reader is behind the end, as far as that is known
}

// Stats of now.
func (m *Machine) Stats() Stats {
	s := Stats{Lag: m.high.Offset - m.top.Offset}
	for _, p := range m.peers {
		if p.feed == 0 || p.table == nil {
			continue
		}
		s.Gateways++
		if p.carrier == nil || p.carrier != m.main {
			s.Behind++
		}
	}
	return s
}
