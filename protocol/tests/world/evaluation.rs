//! The evaluation, chunk by chunk, and what the requester derives before its keys go.

use std::collections::{BTreeMap, BTreeSet};

use mandorla_protocol::requester::{Deriving, Evaluating, PendingQuestion};
use mandorla_protocol::responder::{BlindedChunk, Blinding, Evaluated};
use mandorla_protocol::{
    CHUNK_HEADER_BYTES, CheckedQuestion, ChunkHeader, Fact, Message, Payload, PeerFault, PrfValue,
    QuestionCheck, Role, Terms, elements_digest, encode, write_cell,
};

use super::{HitKeyFile, Stop, World, rows, types_of, unexpected};

impl World {
    pub(crate) fn evaluate(
        &mut self,
        mut evaluating: Evaluating,
        mut blinding: Blinding,
    ) -> Result<(PendingQuestion, Evaluated), Stop> {
        for header in blinding.open_chunks() {
            let reply = self.send_chunk(&mut evaluating, &mut blinding, header)?;
            self.receive_reply(&mut blinding, header, &reply)?;
        }
        self.finish_evaluation(evaluating, blinding)
    }

    /// The match keys of a chunk's real rows.
    pub(crate) fn real_rows(&self, header: ChunkHeader) -> Vec<Vec<u8>> {
        let range = header.row_range();
        let all = rows(&self.plan.responder, header.key_type).into_iter();
        let (skip, take) = (range.start as usize, range.len());
        all.skip(skip).take(take).collect()
    }

    pub(crate) fn blind(&self, blinding: &Blinding, header: ChunkHeader) -> BlindedChunk {
        let real = self.real_rows(header);
        let slices: Vec<&[u8]> = real.iter().map(Vec::as_slice).collect();
        blinding.blind_job(header).run(self.kernel, &slices)
    }

    /// Blinds and sends one chunk; gives the reply as it arrives.
    fn send_chunk(
        &mut self,
        evaluating: &mut Evaluating,
        blinding: &mut Blinding,
        header: ChunkHeader,
    ) -> Result<Vec<u8>, Stop> {
        let chunk = self.blind(blinding, header);
        let step = chunk_step("chunk-request", header);
        blinding
            .sending(&chunk)
            .map_err(Stop::at(Role::Responder, &step))?;
        self.store(
            Role::Responder,
            "chunk digest",
            chunk.inputs_digest().as_ref(),
        );
        let request = self.deliver(Role::Responder, &step, chunk.to_bytes());
        let reply = self
            .reply_to(evaluating, &request)
            .map_err(Stop::at(Role::Requester, &step))?;
        Ok(self.deliver(Role::Requester, &chunk_step("chunk-reply", header), reply))
    }

    /// What the requester's node does with the bytes of a chunk's stream.
    pub(crate) fn reply_to(
        &self,
        evaluating: &mut Evaluating,
        request: &[u8],
    ) -> Result<Vec<u8>, PeerFault> {
        let length = |expected: usize| PeerFault::Length {
            what: "a chunk's stream",
            expected: expected as u64,
            got: request.len() as u64,
        };
        let (header, elements) = request
            .split_first_chunk::<CHUNK_HEADER_BYTES>()
            .ok_or(length(CHUNK_HEADER_BYTES))?;
        let header = ChunkHeader::from_bytes(header)?;
        let (elements, rest) = elements.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(length(CHUNK_HEADER_BYTES + 32 * header.rows as usize));
        }
        let digest = elements_digest(elements);
        let coin = self.plan.coins.proofs.get(&(header.key_type, header.chunk));
        let coin = coin.copied().unwrap_or_default();
        let job = evaluating.handle_chunk_with(header, digest, coin)?;
        let reply = job.run(self.kernel, elements)?;
        evaluating.chunk_evaluated(&reply);
        Ok(reply.to_bytes())
    }

    fn receive_reply(
        &mut self,
        blinding: &mut Blinding,
        header: ChunkHeader,
        reply: &[u8],
    ) -> Result<(), Stop> {
        let real = self.real_rows(header);
        let slices: Vec<&[u8]> = real.iter().map(Vec::as_slice).collect();
        let verified = self
            .blind(blinding, header)
            .verify_and_unblind(self.kernel, &slices, reply)
            .map_err(Stop::at(
                Role::Responder,
                &chunk_step("chunk-reply", header),
            ))?;
        let file = &mut self.values[usize::from(header.key_type)];
        file.extend_from_slice(verified.values());
        self.store(
            Role::Responder,
            "chunk digests",
            &encode(&verified.digests()),
        );
        blinding.chunk_verified(&verified);
        Ok(())
    }

    fn finish_evaluation(
        &mut self,
        evaluating: Evaluating,
        blinding: Blinding,
    ) -> Result<(PendingQuestion, Evaluated), Stop> {
        let parties = self.plan.parties.clone();
        let (evaluated, message) = blinding
            .finish(&parties.responder_signer())
            .map_err(Stop::at(Role::Responder, "evaluated"))?;
        let message = self.send(Role::Responder, "evaluated", &message)?;
        let Message::Evaluated { root, signature } = message else {
            let due = "Evaluated";
            return Err(unexpected(Role::Requester, "evaluated", &message, due));
        };
        let deriving = evaluating
            .handle_evaluated(root, &signature)
            .map_err(Stop::at(Role::Requester, "evaluated"))?;

        let question = self.write_question(&deriving);
        let (pending, message) = deriving
            .finish(question, &parties.requester_signer())
            .map_err(Stop::at(Role::Requester, "evaluated"))?;
        self.store(Role::Requester, "pending question", &encode(&pending));
        let message = self.send(Role::Requester, "evaluated-ack", &message)?;
        let Message::EvaluatedAck { signature } = message else {
            let due = "EvaluatedAck";
            return Err(unexpected(Role::Responder, "evaluated-ack", &message, due));
        };
        evaluated
            .handle_ack(&signature)
            .map_err(Stop::at(Role::Responder, "evaluated-ack"))?;
        self.store(Role::Responder, "evaluated record", &encode(&evaluated));
        self.swap_in_coupled_values(evaluated.terms());

        let round_id = evaluated.terms().round_id();
        self.both_know(round_id, &Fact::Evaluation(evaluated.evaluation_root()));
        self.exchange_pair_log()?;
        Ok((pending, evaluated))
    }

    /// The requester writes its cells and hit keys.
    fn write_question(&mut self, deriving: &Deriving) -> CheckedQuestion {
        let terms = deriving.terms();
        let subjects = &self.plan.requester;
        let numbers = deriving.subject_numbers(u32::try_from(subjects.len()).unwrap());
        let mut holders: BTreeMap<(u8, &[u8]), BTreeSet<usize>> = BTreeMap::new();
        for (index, keys) in subjects.iter().enumerate() {
            for (t, x) in keys {
                holders.entry((*t, x)).or_default().insert(index);
            }
        }
        let (mut cells, mut hit_keys) = (Vec::new(), HitKeyFile::default());
        for key_type in 0..self.plan.types() {
            let own = rows(subjects, key_type);
            let slices: Vec<&[u8]> = own.iter().map(Vec::as_slice).collect();
            let values = deriving.derive_job(key_type).run(self.kernel, &slices);
            for (x, value) in slices.iter().zip(&values) {
                let mut found: Vec<Payload> = holders[&(key_type, *x)]
                    .iter()
                    .map(|&index| Payload {
                        subject_number: numbers[index],
                        key_types: types_of(&subjects[index]),
                    })
                    .collect();
                found.sort_unstable();
                for (payload, c) in found.into_iter().zip(0..) {
                    let mut cell = Vec::new();
                    write_cell(terms, value, c, payload, &mut cell);
                    cells.push(cell);
                    let of_number = (payload.subject_number, key_type);
                    let file = hit_keys.0.entry(of_number).or_default();
                    file.push(value.hit_key(terms.round_id()));
                }
            }
        }
        let real = cells.len() as u64;
        for j in 0..u32::try_from(terms.cells() - real).unwrap() {
            let mut cell = Vec::new();
            deriving.write_padding_cell(j, &mut cell);
            cells.push(cell);
        }
        cells.sort_unstable();
        if let Some(replayed) = &self.plan.replayed_cells {
            let chunks = replayed.chunks_exact(terms.cell_bytes());
            cells = chunks.map(<[u8]>::to_vec).collect();
        }
        let mut check = QuestionCheck::new(terms);
        for cell in &cells {
            check.push(cell).unwrap();
        }
        self.numbers = numbers;
        self.question_cells = cells.concat();
        let file: Vec<u8> = hit_keys
            .0
            .values()
            .flatten()
            .flat_map(|key| *key.as_bytes())
            .collect();
        self.hit_keys = hit_keys;
        self.store(Role::Requester, "hit keys", &file);
        check.finish().unwrap()
    }

    /// The values that the responder would hold if the blinded rows had been those of the coupled dataset.
    fn swap_in_coupled_values(&mut self, terms: &Terms) {
        let Some(subjects) = &self.plan.coupled else {
            return;
        };
        let keys = self.plan.coins.keys();
        self.values = (0_u8..)
            .zip(&keys)
            .map(|(key_type, key)| {
                let own = rows(subjects, key_type);
                assert!(own.len() as u64 <= terms.rows(key_type), "the same classes");
                let slices: Vec<&[u8]> = own.iter().map(Vec::as_slice).collect();
                let tag = terms.domain_tag(key_type);
                let public = key.public().to_bytes();
                let elements = self.kernel.derive(key, &tag, &slices);
                let values = elements.iter().zip(&slices);
                values
                    .map(|(element, x)| PrfValue::new(&tag, x, &public, element))
                    .collect()
            })
            .collect();
    }
}

fn chunk_step(name: &str, header: ChunkHeader) -> String {
    format!("{name} {} {}", header.key_type, header.chunk)
}
